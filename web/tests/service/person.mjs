// A human at a telephone: waiting with music, both directions of the sound, hold, and the agent's end of the call.
import assert from 'node:assert/strict';
import { faultless } from '../browser/harness.mjs';
import { caller } from './caller.mjs';
import { find, HZ, loudest, narrow, readWav, spoken, writeWav } from './sound.mjs';
import { pause, until } from './waiting.mjs';

/** Digits in an order that has no second stretch like another. */
export function digits(count, seed) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 16) % 10;
  };
  return Array.from({ length: count }, () => Array.from({ length: 6 }, next).join(' ')).join('. ');
}

/** What the agent says, at 8 kHz: two minutes would be too long to wait for, and half of it is enough. */
export const agentSays = () => {
  const { rate, channels } = readWav(spoken(digits(30, 100), 'rms'));
  return writeWav(narrow(channels[0], rate));
};

export const person = (browser, service, phone) => ({
  async 'a person is asked for, answers, is heard and hears, is put on hold, and hangs up'() {
    const one = await caller(browser, service.url);
    await one.call();
    await one.loud();
    const asked = Date.now();
    await one.page.getByRole('button', { name: 'Talk to a person' }).click();
    // While the agent hears the brief, the caller hears what is going on, and then music.
    await one.state('Waiting for a colleague', 20_000);
    const waiting = Date.now();
    await one.loud();
    const music_ms = Date.now() - waiting;
    await until('the brief to be over', async () => {
      phone.command('sndcode', '1');
      await pause(700);
      return (await service.timeline(one.id)).some(({ what }) => what === 'bridged');
    }, 30_000);
    await one.state('With ada');
    const waited_ms = Date.now() - asked;
    assert.equal((await one.messages('state')).at(-1).agent, 'ada');
    const says = spoken(digits(3, 500), 'slt');
    const clock = await one.clock();
    await one.say(says);
    const [encBegan, decBegan] = await Promise.all([phone.began('enc'), phone.began('dec')]);
    const tape = await one.tape();
    const zero = await one.tapeBegan(clock);
    const lasting = ({ heard }) => (heard.length * 1000) / HZ;
    // Caller to agent: what was said, in what the agent's phone heard.
    const mine = loudest(tape.said, lasting(tape) - 9_000, lasting(tape) - 500);
    const arrived = find(mine.sound, phone.recording('dec'));
    const up_ms = decBegan + arrived.at_ms - (zero + mine.at_ms);
    // Agent to caller: the last seconds that the page played, in what the agent's phone sent. Where the browser has just
    // stretched its buffer, a second is not like what was sent: the next one is.
    let fromAgent;
    let there;
    await until('a second of the agent as it was sent', async () => {
      const now = await one.tape();
      fromAgent = loudest(now.heard, lasting(now) - 4_000, lasting(now) - 500);
      there = find(fromAgent.sound, phone.recording('enc'));
      return there.fit > 0.75;
    }, 20_000, 500);
    const down_ms = (await one.tapeBegan(clock)) + fromAgent.at_ms - (encBegan + there.at_ms);
    assert.ok(there.fit > 0.75 && arrived.fit > 0.75, `${there.fit} ${arrived.fit}`);
    // On hold neither hears the other.
    await one.page.getByRole('button', { name: 'Hold' }).click();
    await one.state('On hold');
    await service.entry(one.id, 'held', ({ what, role }) => what === 'held' && role === 'caller');
    const before = phone.recording('dec').length;
    await until('two seconds of hold', () => phone.recording('dec').length > before + 2 * HZ);
    const atAgent = loudest(phone.recording('dec'), (before * 1000) / HZ + 500, (before * 1000) / HZ + 1_900).level;
    const muted = () => one.page.locator('cordboard-call audio').evaluate((audio) => audio.muted);
    assert.equal(await muted(), true);
    await one.page.getByRole('button', { name: 'Hold' }).click();
    await one.state('With ada');
    assert.equal(await muted(), false);
    await until('the agent again', async () => {
      const now = await one.tape();
      const to = (now.heard.length * 1000) / HZ;
      const part = loudest(now.heard, to - 1_600, to - 200);
      return part.level > 0.02 && find(part.sound, phone.recording('enc')).fit > 0.7;
    }, 15_000, 300);
    // The agent hangs up: the assistant is back and says so, and a person can be asked for again.
    phone.command('hangup');
    await until('words for it', async () => (await one.captions()).some(({ text }) => text.includes('disconnected')));
    await one.page.getByRole('button', { name: 'Talk to a person' }).waitFor();
    await one.hangUp();
    await one.state('Call ended');
    assert.equal(await one.page.locator('.intro').textContent(), 'You ended the call.');
    const call = await service.ended(one.id);
    assert.deepEqual([call.outcome, call.agent, call.cause], ['handed_over', 'ada', 'bye']);
    await faultless(one.page);
    await one.close();
    return `with ada ${waited_ms} ms after asking (the brief included); music heard ${music_ms} ms after the words; agent to caller fits ${there.fit.toFixed(2)}, ${Math.round(down_ms)} ms; caller to agent fits ${arrived.fit.toFixed(2)}, ${Math.round(up_ms)} ms; both ways ${Math.round(down_ms + up_ms)} ms; level at the agent on hold ${atAgent.toFixed(3)}`;
  },
});
