// The engineer's pages: the list, an ended call, a live call, naughty strings, 5,000 entries.
import assert from 'node:assert/strict';
import { packetOf, STARTED, timelineOf, wavOf } from './fixtures/timeline.mjs';
import { NAUGHTY, accessible, faultless, open, screens, sleep, suite } from './harness.mjs';

const ID = '01J9CALL0000000000000000AA';
const iso = (ms) => new Date(STARTED + ms).toISOString();

function detailOf(id, entries, live = false, words = (text) => text) {
  const end = entries.at(-1).at_ms;
  return {
    id, from: words('sip:+4930901820@trunk.example'), to: words('sip:parcel@calls.example'), leg: 'phone', started: iso(0),
    ended: live ? null : iso(end), outcome: live ? null : 'handed_over', answered: iso(345), cause: live ? null : words('bye'),
    agent: live ? null : words('Ada Lovelace'), flow: words('parcel'), flow_version: words('9d41c07be2aa51f3'), build: words('0.1.0+0f6ce5d'),
    links: { timeline: `/v1/calls/${id}/timeline`, recording: live ? null : `/v1/calls/${id}/recording`, context: `/v1/calls/${id}/context` },
  };
}

function keep(service, id, { live = false, words, entries = timelineOf(id, words) } = {}) {
  service.timelines[id] = live ? entries.slice(0, 60) : entries;
  service.details[id] = detailOf(id, service.timelines[id], live, words);
  service.packets[id] = packetOf(id, words);
  if (!live) service.recordings[id] = wavOf(entries);
  return entries;
}

function list(count) {
  const outcomes = ['resolved', 'handed_over', 'abandoned', 'message_taken', 'failed', 'no_input'];
  return Array.from({ length: count }, (_, index) => ({
    id: `01J9CALL${String(99_999 - index).padStart(18, '0')}`,
    from: `sip:+49309018${String(20 + index)}@trunk.example`, to: 'sip:parcel@calls.example', leg: index % 3 === 1 ? 'browser' : 'phone',
    started: iso(-index * 97_000), ended: index === 0 ? null : iso(-index * 97_000 + 41_000 + index * 900),
    outcome: index === 0 ? null : outcomes[index % outcomes.length],
  }));
}

export async function reading(browser, service) {
  return suite('reading', {
    'no call yet': async () => {
      service.calls = [];
      const page = await open(browser, `${service.url}/calls`);
      await page.getByRole('heading', { name: 'No call yet' }).waitFor();
      await screens(page, 'list-empty');
      await faultless(page);
      await page.context().close();
    },
    'the list: pages, filters, and calls that begin and end': async () => {
      service.calls = list(70);
      const page = await open(browser, `${service.url}/calls`);
      const rows = page.locator('tbody tr');
      await rows.nth(49).waitFor();
      await screens(page, 'list', { fullPage: false });
      await page.setViewportSize({ width: 1280, height: 900 });
      await page.getByRole('button', { name: 'Load older calls' }).click();
      await rows.nth(69).waitFor();
      service.tellLive({ type: 'call', call: { ...list(1)[0], id: '01J9CALLZ00000000000000000', from: 'sip:new@trunk.example', started: new Date().toISOString() } });
      await rows.first().getByText('sip:new@trunk.example').waitFor();
      service.tellLive({ type: 'call', call: { ...service.calls[0], ended: iso(5_000), outcome: 'resolved' } });
      await page.getByText('1 is live').waitFor();
      await page.getByLabel('Leg').selectOption('browser');
      assert.equal(await rows.count(), 23);
      await page.getByLabel('Outcome').selectOption('failed');
      await page.getByLabel('From or to').fill('930');
      assert.match(page.url(), /outcome=failed/);
      await page.getByRole('button', { name: 'Clear' }).click();
      assert.equal(await rows.count(), 71);
      await faultless(page);
      await page.context().close();
    },
    'a token is asked for and kept': async () => {
      service.bearer = 'operator';
      const page = await open(browser, `${service.url}/calls`);
      await page.getByLabel('Token').fill('operator');
      await screens(page, 'token');
      await page.getByRole('button', { name: 'Show calls' }).click();
      await page.locator('tbody tr').first().waitFor();
      service.bearer = null;
      await page.context().close();
    },
    'an ended call: track, latency, timeline, tools, packet, one cursor': async () => {
      const entries = keep(service, ID);
      const page = await open(browser, `${service.url}/calls/${ID}#at=9000`);
      await page.getByRole('button', { name: 'Play' }).and(page.locator(':enabled')).waitFor();
      const track = page.getByRole('slider', { name: 'Place in the call' });
      assert.equal(await track.getAttribute('aria-valuenow'), '9000');
      await screens(page, 'call');
      await page.setViewportSize({ width: 1280, height: 900 });
      // A tool call moves the cursor, and the entry is chosen.
      await page.getByRole('region', { name: 'Tool calls' }).getByRole('button').first().click();
      const invoked = entries.find((entry) => entry.what === 'tool_invoked');
      assert.equal(await track.getAttribute('aria-valuenow'), String(invoked.at_ms));
      await page.getByRole('region', { name: 'Chosen entry' }).getByRole('heading', { name: 'Tool called' }).waitFor();
      // The reverse: a place on the track chooses an entry.
      await track.focus();
      await page.keyboard.press('Home');
      await page.getByRole('region', { name: 'Chosen entry' }).getByRole('heading', { name: 'Rang' }).waitFor();
      const box = await track.boundingBox();
      await page.mouse.click(box.x + box.width / 2, box.y + 60);
      const middle = Number(await track.getAttribute('aria-valuenow'));
      assert.ok(Math.abs(middle - entries.at(-1).at_ms / 2) < 500, String(middle));
      for (let count = 0; count < 4; count += 1) await page.keyboard.press('+');
      await sleep(150);
      await page.screenshot({ path: new URL('../../../target/screens/call-zoomed.png', import.meta.url).pathname });
      await page.keyboard.press('0');
      await page.keyboard.press(' ');
      await page.getByRole('button', { name: 'Pause' }).waitFor();
      await sleep(700);
      await page.keyboard.press(' ');
      assert.ok(Number(await track.getAttribute('aria-valuenow')) > middle + 200);
      // Filters and arrows of the timeline.
      await page.getByLabel('Find in the timeline').fill('order_lookup');
      await page.getByText(/^2 of \d+ entries$/).waitFor();
      await page.getByLabel('Find in the timeline').fill('');
      await page.getByRole('button', { name: /^Talk/ }).click();
      await page.getByRole('region', { name: 'Timeline, arrows choose' }).focus();
      await page.keyboard.press('ArrowDown');
      await faultless(page);
      await page.context().close();
    },
    'a call without a recording is drawn from the timeline': async () => {
      keep(service, ID);
      service.details[ID].links.recording = null;
      const page = await open(browser, `${service.url}/calls/${ID}`);
      await page.getByText('drawn from the timeline alone').waitFor();
      await page.screenshot({ path: new URL('../../../target/screens/call-silent.png', import.meta.url).pathname });
      await page.context().close();
    },
    'a live call grows, and its end is taken up': async () => {
      const id = '01J9CALL0000000000000000AB';
      const entries = keep(service, id, { live: true });
      const page = await open(browser, `${service.url}/calls/${id}`);
      await page.getByText('60 entries').waitFor();
      await sleep(200);
      for (const entry of entries.slice(60, 90)) service.tellLive({ type: 'entry', call: id, entry });
      await page.getByText('90 entries').waitFor();
      const region = page.getByRole('region', { name: 'Timeline, arrows choose' });
      assert.ok(await region.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60), 'follows the end');
      await screens(page, 'call-live', { fullPage: false });
      await region.evaluate((box) => box.scrollTo(0, 0));
      await sleep(100);
      service.tellLive({ type: 'entry', call: id, entry: entries[90] });
      await page.getByText('91 entries').waitFor();
      await sleep(100);
      assert.equal(await region.evaluate((box) => box.scrollTop), 0, 'stays where the reader went');
      keep(service, id);
      for (const entry of entries.slice(91)) service.tellLive({ type: 'entry', call: id, entry });
      await page.locator('.head .tag', { hasText: 'handed over' }).waitFor();
      await page.getByRole('button', { name: 'Play' }).and(page.locator(':enabled')).waitFor();
      await faultless(page);
      await page.context().close();
    },
    'naughty strings in every field': async () => {
      let next = 0;
      const id = '01J9CALL0000000000000000AC';
      const words = () => NAUGHTY[(next += 1) % NAUGHTY.length];
      for (let round = 0; round < Math.ceil(NAUGHTY.length / 60); round += 1) {
        keep(service, id, { words });
        service.details[id].links.timeline = 'javascript:alert(1)';
        service.calls = [{ ...service.details[id] }, ...NAUGHTY.slice(round * 40, round * 40 + 40).map((text, index) => ({ ...service.details[id], id: `A${round}-${index}`, from: text, to: text, leg: text.slice(0, 40), outcome: text.slice(0, 40) }))];
        for (const path of [`/calls/${id}`, '/calls']) {
          const page = await open(browser, `${service.url}${path}`, { width: 390 });
          await page.locator('tbody tr').first().waitFor();
          await sleep(400);
          if (round === 0) {
            for (const summary of await page.locator('summary').all()) await summary.click();
            await page.screenshot({ path: new URL(`../../../target/screens/naughty${path === '/calls' ? '-list' : '-call'}.png`, import.meta.url).pathname, fullPage: true });
            await accessible(page, 'naughty');
          }
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${path} overflows`);
          await faultless(page);
          await page.context().close();
        }
      }
    },
    '5,000 entries cost no more rows than are in sight': async () => {
      const id = '01J9CALL0000000000000000AD';
      const some = timelineOf(id);
      const step = some.at(-1).at_ms;
      const entries = Array.from({ length: 5_000 }, (_, index) => {
        const entry = some[index % (some.length - 1)];
        return { ...entry, seq: index + 1, at_ms: entry.at_ms + Math.floor(index / (some.length - 1)) * step };
      });
      keep(service, id, { entries });
      service.details[id].links.recording = null;
      const page = await open(browser, `${service.url}/calls/${id}`);
      await page.getByText('5000 entries').waitFor();
      const region = page.getByRole('region', { name: 'Timeline, arrows choose' });
      assert.ok((await region.locator('tr.entry').count()) < 60);
      const worst_ms = await region.evaluate(async (box) => {
        let worst = 0;
        for (let step = 0; step < 40; step += 1) {
          const began = performance.now();
          box.scrollTop = (box.scrollHeight * step) / 40;
          await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0)));
          worst = Math.max(worst, performance.now() - began);
        }
        return worst;
      });
      console.log(`     worst frame while scrolling 5,000 entries: ${Math.round(worst_ms)} ms`);
      await region.evaluate((box) => box.scrollTo(0, box.scrollHeight));
      await page.locator('td.since', { hasText: /./ }).last().waitFor();
      await faultless(page);
      await page.context().close();
    },
    'there is no such call': async () => {
      const page = await open(browser, `${service.url}/calls/01J9NONE`);
      await page.getByRole('alert').waitFor();
      await faultless(page);
      await page.context().close();
    },
  });
}
