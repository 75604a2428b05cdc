// Calls by voice alone: the order is asked for and told; the assistant is interrupted; keys; a tab that is closed.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultless, launch } from '../browser/harness.mjs';
import { caller } from './caller.mjs';
import { scratch } from './cordboard.mjs';
import { ASKS, answered, order } from './order.mjs';
import { find, firstSound, HZ, loud, loudest, readWav, silenceAfter, spoken, writeWav } from './sound.mjs';
import { until } from './waiting.mjs';

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** The begin and end of each thing said, ms: sounds apart by less than 600 ms are one. */
export function utterances(said) {
  const found = [];
  loud(said).forEach((is, n) => {
    if (!is) return;
    const last = found.at(-1);
    if (last && n * 10 - last.to < 600) last.to = (n + 1) * 10;
    else found.push({ from: n * 10, to: (n + 1) * 10 });
  });
  return found;
}

/** From the end of each thing said to the first sound after it. */
export const gaps = ({ said, heard }) => utterances(said).map(({ to }) => {
  const first = firstSound(heard, to);
  return first === null ? null : first - to;
});

/** The captions are what the timeline has, word by word. */
export async function captionsAreTheTimeline(one, entries) {
  const shown = await one.captions();
  const spoke = entries.filter(({ what, text }) => what === 'caller_spoke' && text !== '').map(({ text }) => text);
  const prompts = entries.filter(({ what, heard, unsaid }) => what === 'prompt_ended' && `${heard}${unsaid}` !== '').map(({ heard, unsaid }) => [heard, unsaid]);
  assert.deepEqual(shown.filter(({ who }) => who === 'caller').map(({ text }) => text), spoke);
  assert.deepEqual(shown.filter(({ who, partial }) => who === 'assistant' && !partial).map(({ text, unheard }) => [text, unheard]), prompts);
  return spoke.length + prompts.length;
}

export const voice = (browser, service) => ({
  async 'an order is asked for, and told'() {
    const one = await caller(browser, service.url);
    await one.call();
    await one.hears(900);
    const tries = await order(one);
    const tape = await one.tape();
    await one.hangUp();
    await one.state('Call ended');
    const call = await service.ended(one.id);
    assert.deepEqual([call.cause, call.leg], ['bye', 'browser']);
    const entries = await service.timeline(one.id);
    assert.ok(entries.some(({ what, tool }) => what === 'tool_invoked' && tool === 'order_lookup'));
    const captions = await captionsAreTheTimeline(one, entries);
    const waits = gaps(tape);
    assert.ok(waits.length >= 3 && !waits.includes(null) && median(waits) < 2_500, `${waits}`);
    const { rate, channels } = readWav(await service.recording(one.id));
    assert.equal(rate, HZ);
    const began = entries.find(({ what }) => what === 'recording_began').at_ms;
    const fits = entries.filter(({ what, prompt }) => what === 'prompt_began' && prompt !== undefined).flatMap((begin) => {
      const end = entries.find(({ what, prompt }) => what === 'prompt_ended' && prompt === begin.prompt);
      if (!end || begin.at_ms < began || end.at_ms - begin.at_ms < 1_000) return [];
      const { sound } = loudest(channels[1], begin.at_ms - began, end.at_ms - began);
      return [find(sound, tape.heard).fit];
    });
    // A machine that is busy leaves out sound here and there.
    assert.ok(fits.length >= 3 && median(fits) > 0.8, `${fits}`);
    await faultless(one.page);
    await one.close();
    return `connected ${one.connected_ms} ms; answered ${waits.join(', ')} ms after the end of speech; played = recorded: ${median(fits).toFixed(3)} in the middle of ${fits.length} prompts, ${Math.min(...fits).toFixed(3)} at worst; ${captions} captions; said ${tries.asked}, ${tries.number}, ${tries.yes} times`;
  },
  async 'the assistant is interrupted by speech; keys are keyed once each'() {
    const one = await caller(browser, service.url);
    await one.call();
    // In the greeting, after the line about the recording.
    await until('the greeting', async () => (await one.messages('assistant')).some(({ heard }) => heard.startsWith('Hello, this')));
    await one.say(spoken(...ASKS[0]));
    await one.hears(450);
    const understood = (await one.messages('assistant')).some(({ text }) => text.includes('What is your order number'));
    const tape = await one.tape();
    const began = firstSound(tape.said, 0);
    const stopped = silenceAfter(tape.heard, began) - began;
    await service.entry(one.id, 'interrupted', ({ what }) => what === 'interrupted');
    const entries = await service.timeline(one.id);
    const cut = entries.find(({ what, unsaid }) => what === 'prompt_ended' && unsaid !== '');
    const struck = (await one.captions()).find(({ unheard }) => unheard !== '');
    assert.deepEqual([struck?.text, struck?.unheard], [cut.heard, cut.unsaid]);
    assert.ok(stopped < 1_500, `${stopped}`);
    if (!understood) await answered(one, ASKS, 'What is your order number');
    await one.page.getByRole('button', { name: 'Keypad' }).click();
    for (const digit of '222') await one.page.getByRole('button', { name: digit, exact: true }).click();
    await one.page.keyboard.type('222');
    const keyed = await until('six keys', async () => {
      const keys = (await service.timeline(one.id)).filter(({ what }) => what === 'keyed');
      return keys.length >= 6 ? keys : null;
    });
    await until('the digits to be taken', async () => (await one.messages('assistant')).some(({ text }) => text.startsWith('Order 2 2 2 2 2 2')));
    assert.deepEqual(keyed.map(({ digit }) => digit).join(''), '222222');
    assert.equal((await one.sent('key')).length, 0, 'keys went as tones');
    await one.hears(300);
    assert.equal((await service.timeline(one.id)).filter(({ what }) => what === 'keyed').length, 6);
    await faultless(one.page);
    // The tab is closed: no 45 s, and no silence.
    const closed = Date.now();
    await one.page.close({ runBeforeUnload: false });
    const call = await service.ended(one.id, 5_000);
    assert.equal(call.cause, 'bye');
    await one.close();
    return `silent ${stopped} ms after the begin of speech; “${cut.heard}” heard, “${cut.unsaid}” struck; 6 keys, ${Math.round(keyed[0].duration_ms)} ms long; ended ${Date.now() - closed} ms after the tab was closed`;
  },
});

/** Chromium plays a file into its own microphone, with its own echo canceller and gain control. */
export const capture = (service) => ({
  async 'the microphone of Chromium itself'() {
    const { rate, channels } = readWav(spoken('where is my order', 'rms'));
    const path = join(scratch(), 'microphone.wav');
    const gap = new Float32Array(8 * rate);
    const parts = [gap, channels[0], gap, channels[0], gap, channels[0], gap, channels[0], gap];
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    writeFileSync(path, writeWav(all, rate));
    const browser = await launch([`--use-file-for-fake-audio-capture=${path}%noloop`]);
    try {
      const one = await caller(browser, `${service.url}/?flow=parcel`, { fakeMicrophone: false });
      await one.call();
      const spoke = await service.entry(one.id, 'the question understood', ({ what, text }) => what === 'caller_spoke' && text === 'where is my order', 40_000);
      await one.hangUp();
      assert.equal((await service.ended(one.id)).cause, 'bye');
      await faultless(one.page);
      return `understood with confidence ${spoke.confidence.toFixed(2)}`;
    } finally {
      await browser.close();
    }
  },
});
