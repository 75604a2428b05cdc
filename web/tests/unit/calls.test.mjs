import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';
import { timelineOf } from '../browser/fixtures/timeline.mjs';

const { readEntry, kinds, summary, title } = await load('calls/entries.ts');
const { entryAt, tracks } = await load('calls/tracks.ts');
const { quantile, waits } = await load('calls/latency.ts');
const { loudest, peaks } = await load('calls/peaks.ts');
const { axisStep, panned, showing, whole, zoomed } = await load('calls/window.ts');
const { matching, merged } = await load('calls/listing.ts');
const { duration, offset, webAddress } = await load('calls/format.ts');
const { readPacket } = await load('calls/packet.ts');

const entries = timelineOf('01J0000000000000000000000A').map(readEntry);

test('every entry of a call reads in one line', () => {
  for (const entry of entries) {
    assert.ok(title(entry), entry.what);
    assert.ok(!/undefined|\[object/.test(summary(entry)), `${entry.what}: ${summary(entry)}`);
    assert.ok(kinds(entry).length > 0);
  }
  assert.ok(new Set(entries.map((entry) => entry.what)).size > 25);
});

test('an entry that a newer service wrote is shown as it is', () => {
  const entry = readEntry({ seq: 1, at: '', v: 2, at_ms: 5, what: 'sang', song: 'la' });
  assert.equal(title(entry), 'sang');
  assert.equal(summary(entry), '{"song":"la"}');
});

test('turns, prompts and tools are found on the timeline', () => {
  const found = tracks(entries);
  assert.ok(found.turns.length >= 5 && found.prompts.length >= 8 && found.tools.length >= 2);
  const stopped = found.prompts.find((prompt) => prompt.unsaid !== '');
  assert.ok(stopped.to_ms > stopped.from_ms && stopped.text.endsWith(stopped.unsaid));
  assert.ok(found.recording_ms > 0);
});

test('a prompt and a tool that did not end go on to the end of what is known', () => {
  const found = tracks([
    { seq: 0, at: '', at_ms: 0, what: 'prompt_began', fields: { prompt: 1, text: 'a' } },
    { seq: 1, at: '', at_ms: 10, what: 'tool_invoked', fields: { invocation: 1, tool: 't' } },
    { seq: 2, at: '', at_ms: 90, what: 'answered', fields: {} },
  ]);
  assert.equal(found.prompts[0].to_ms, 90);
  assert.equal(found.tools[0].to_ms, 90);
});

test('the stages of a wait are never negative and together are the wait', () => {
  const all = waits(entries, tracks(entries));
  assert.ok(all.length >= 4);
  for (const wait of all) {
    assert.equal(wait.stages.reduce((sum, one) => sum + one.ms, 0), wait.total_ms);
    assert.ok(wait.stages.every((one) => one.ms >= 0));
  }
  assert.ok(all.some((wait) => wait.tools.includes('order_lookup')));
});

test('quantiles are by nearest rank', () => {
  assert.equal(quantile([3, 1, 2, 4], 0.5), 2);
  assert.equal(quantile([3, 1, 2, 4], 0.95), 4);
  assert.equal(quantile([], 0.5), null);
});

test('the entry at a time is the last one before it', () => {
  assert.equal(entryAt(entries, -1), null);
  assert.equal(entryAt(entries, 0).what, 'rang');
  assert.equal(entryAt(entries, 1e9), entries.at(-1));
});

test('peaks keep the loudest sample of every stretch', () => {
  const samples = new Float32Array(8_000);
  samples[4_000] = -0.5;
  const found = peaks(samples, 8_000);
  assert.equal(found.length, 500);
  assert.equal(loudest(found, 499, 501), 0.5);
  assert.equal(loudest(found, 0, 400), 0);
  assert.equal(loudest(found, 2_000, 3_000), 0);
});

test('zoom and pan stay within the call', () => {
  const all = whole(60_000);
  const near = zoomed(all, 0.1, 30_000, 60_000);
  assert.deepEqual(near, { from_ms: 27_000, to_ms: 33_000 });
  assert.deepEqual(panned(near, -99_000, 60_000), { from_ms: 0, to_ms: 6_000 });
  assert.deepEqual(zoomed(near, 100, 30_000, 60_000), all);
  assert.equal(showing(near, 30_000, 60_000), near);
  assert.ok(showing(near, 50_000, 60_000).to_ms > 50_000);
  assert.equal(axisStep(all, 600, 80), 10_000);
});

test('the list is joined newest first, and an ended call never turns live again', () => {
  const one = (id, ended) => ({ id, from: 'sip:a', to: 'sip:b', leg: 'phone', started: '', ended, outcome: ended && 'resolved' });
  const found = merged([one('A', null), one('B', 'x')], [one('C', null), one('A', 'y'), one('B', null)]);
  assert.deepEqual(found.map((call) => [call.id, call.ended]), [['C', null], ['B', 'x'], ['A', 'y']]);
  assert.equal(matching(found, { outcome: 'live', leg: '', text: '' }).length, 1);
  assert.equal(matching(found, { outcome: '', leg: 'phone', text: 'SIP:A' }).length, 3);
  assert.equal(matching(found, { outcome: '', leg: 'browser', text: '' }).length, 0);
});

test('times read as people write them', () => {
  assert.equal(offset(83_456), '1:23.456');
  assert.equal(duration(3_723_000), '1:02:03');
});

test('a link never runs a script', () => {
  assert.equal(webAddress('javascript:alert(1)', 'http://a/'), null);
  assert.equal(webAddress('/v1/x', 'http://a/b'), 'http://a/v1/x');
});

test('a packet of another form costs its parts alone', () => {
  assert.equal(readPacket(null), null);
  assert.deepEqual(readPacket({ slots: [1, { name: 'a' }], resolved: 'x' }).slots, [{ name: 'a', value: '', verified: '', confidence: null }]);
});
