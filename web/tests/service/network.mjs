// What a network does to a call: sockets cut, media lost, a way that changes, a service that is gone, no way at all.
import assert from 'node:assert/strict';
import { faultless } from '../browser/harness.mjs';
import { caller } from './caller.mjs';
import { cordboard, proxy } from './cordboard.mjs';
import { ASKS } from './order.mjs';
import { BEHIND_NAT, nat } from './peers.mjs';
import { spoken } from './sound.mjs';
import { until } from './waiting.mjs';

/** Packets of sound that came; they come in silence as well. */
const packets = (one) => one.page.evaluate(async () => {
  let count = 0;
  (await window.ears.peers.at(-1).getStats()).forEach((stat) => { if (stat.type === 'inbound-rtp') count = stat.packetsReceived; });
  return count;
});
const flows = (one, more, ms) => packets(one).then((before) => until('packets of sound', async () => (await packets(one)) > before + more, ms, 20));
const passed = (from, ms) => until('the time', () => Date.now() - from >= ms, ms + 2_000, 20);

/** Both ways still work: keys get there, and their answer is heard and shown. */
async function works(one, digits) {
  const before = (await one.captions()).length;
  await one.page.getByRole('button', { name: 'Keypad' }).click();
  await one.page.keyboard.type(digits);
  await until('captions and sound', async () => (await one.captions()).slice(before).some(({ who, text }) => who === 'assistant' && text.length > 5), 20_000);
  await one.loud();
}

/** The socket is cut for so long: the sound goes on, the call is taken up again, and captions go on. */
const cut = (browser, service, seconds) => async () => {
  const way = await proxy();
  way.to(service.host);
  const one = await caller(browser, way.url);
  await one.call();
  await one.hears(900);
  way.cut();
  const began = Date.now();
  await one.state('Reconnecting');
  await one.say(spoken(...ASKS[0]));
  await one.loud();
  await passed(began, seconds * 1000);
  way.mend();
  const mended = Date.now();
  await until('the call again', async () => (await one.words()) !== 'Reconnecting', 20_000, 20);
  const back_ms = Date.now() - mended;
  assert.ok((await one.sent('resume')).length > 0);
  await one.quiet(900);
  await works(one, '222222');
  const entries = await service.timeline(one.id);
  const lines = entries.filter(({ what, text, heard, unsaid }) => (what === 'caller_spoke' && text) || (what === 'prompt_ended' && `${heard}${unsaid}`)).length;
  const shown = (await one.captions()).filter(({ partial }) => !partial).length;
  await one.hangUp();
  assert.equal((await service.ended(one.id)).cause, 'bye');
  await faultless(one.page);
  await one.close();
  way.close();
  return `taken up ${back_ms} ms after the way was back; held ${entries.filter(({ what }) => what === 'held').length} times; ${Math.max(0, lines - shown)} of ${lines} lines never shown`;
};

/** The only way, a relay, stands still for so long. */
const away = (browser, service, relay, seconds) => async () => {
  const one = await caller(browser, service.url, { relay: relay.url });
  await one.call();
  await one.hears(900);
  relay.stop();
  const began = Date.now();
  await one.state('Reconnecting', 20_000);
  const told_ms = Date.now() - began;
  await passed(began, seconds * 1000);
  relay.goOn();
  const back = Date.now();
  await flows(one, 10, 30_000);
  const sound_ms = Date.now() - back;
  await until('the call again', async () => (await one.words()) !== 'Reconnecting', 20_000, 20);
  const shown_ms = Date.now() - back;
  await works(one, '5');
  const offers = (await one.sent('offer')).length;
  const states = await one.page.evaluate(() => window.ears.states.map(([, state]) => state));
  const entries = await service.timeline(one.id);
  await one.hangUp();
  assert.equal((await service.ended(one.id)).cause, 'bye');
  await faultless(one.page);
  await one.close();
  return `said after ${told_ms} ms; sound ${sound_ms} ms after the relay was back, shown after ${shown_ms} ms; ${offers} restarts of ICE; held ${entries.filter(({ what }) => what === 'held').length}, resumed ${entries.filter(({ what }) => what === 'resumed').length} times; ${states.join(' ')}`;
};

export const network = (browser, service, relays) => ({
  'the socket is cut for 5 s': cut(browser, service, 5),
  'the socket is cut for 30 s': cut(browser, service, 30),
  ...(relays && {
    'media is lost for 15 s': away(browser, service, relays[0], 15),
    'media is lost for 40 s': away(browser, service, relays[1], 40),
  }),
  async 'another network: ICE is restarted on the same call'() {
    const one = await caller(browser, service.url);
    await one.call();
    await one.loud();
    const ufrag = () => one.page.evaluate(() => /a=ice-ufrag:(.*)/.exec(window.ears.peers.at(-1).currentLocalDescription.sdp)[1]);
    const before = await ufrag();
    const began = Date.now();
    await one.page.evaluate(() => dispatchEvent(new Event('online')));
    await until('an answer', async () => (await ufrag()) !== before, 10_000, 20);
    const answered_ms = Date.now() - began;
    await flows(one, 50, 10_000);
    assert.equal((await one.sent('offer')).length, 1);
    await one.quiet(900);
    await works(one, '5');
    await one.hangUp();
    await service.ended(one.id);
    assert.equal((await service.timeline(one.id)).filter(({ what }) => what === 'held').length, 0);
    await faultless(one.page);
    await one.close();
    return `answered after ${answered_ms} ms, and never held`;
  },
  async 'another port of a sudden: the call goes on without a restart'() {
    const way = await nat();
    const one = await caller(browser, service.url, { before: BEHIND_NAT });
    await one.page.exposeFunction('towards', way.towards);
    await one.call();
    await one.hears(900);
    const heard_ms = [];
    for (let n = 0; n < 2; n += 1) {
      await flows(one, 20, 10_000);
      await way.rebind();
      const began = Date.now();
      // What was on its way when the port changed is no sign of life.
      await passed(began, 200);
      await flows(one, 5, 15_000);
      heard_ms.push(Date.now() - began);
    }
    await works(one, '5');
    assert.equal((await one.sent('offer')).length, 0);
    const entries = await service.timeline(one.id);
    const [held, resumed] = ['held', 'resumed'].map((wanted) => entries.filter(({ what }) => what === wanted).length);
    assert.equal(held, resumed);
    await one.hangUp();
    assert.equal((await service.ended(one.id)).cause, 'bye');
    await faultless(one.page);
    await one.close();
    way.close();
    return `heard again ${heard_ms.join(' and ')} ms after the port changed; held ${held} times`;
  },
  async 'no relay, and no other way allowed: that is said'() {
    const one = await caller(browser, service.url, { relay: 'nothing' });
    const began = Date.now();
    await one.page.getByRole('button', { name: 'Call', exact: true }).click();
    await one.page.getByRole('alert').filter({ hasText: 'No sound gets through' }).waitFor({ timeout: 30_000 });
    const said_ms = Date.now() - began;
    await one.page.getByRole('button', { name: 'Call again' }).waitFor();
    await faultless(one.page);
    await one.close();
    return `said after ${said_ms} ms`;
  },
});

/** The service is killed and started again at the same place. */
export const killed = (browser, service, changes) => ({
  async 'the service is killed: that is said, and the page calls again'() {
    const one = await caller(browser, service.url);
    await one.call();
    await one.loud();
    await service.program.kill();
    await one.state('Reconnecting');
    const again = await cordboard({ ...changes, folder: service.folder, listen: service.host.split(':')[1] });
    const ready = Date.now();
    await one.page.getByRole('alert').filter({ hasText: 'The call was lost' }).waitFor({ timeout: 20_000 });
    const said_ms = Date.now() - ready;
    const lost = one.id;
    await one.call();
    assert.notEqual(one.id, lost);
    await one.loud();
    await one.hangUp();
    await again.ended(one.id);
    // What the service knows of the call that it lost.
    const call = await again.ended(lost, 10_000);
    await faultless(one.page);
    await one.close();
    await again.close();
    return `said ${said_ms} ms after the service was back; the lost call: ${call.outcome}, ${call.cause}`;
  },
});
