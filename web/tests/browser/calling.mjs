// A call from the page: states, captions, keys, and how it comes back.
import assert from 'node:assert/strict';
import { farEnd } from './far-end.mjs';
import { NAUGHTY, accessible, faultless, open, screens, sleep, suite } from './harness.mjs';

const until = async (what, check, ms = 8_000) => {
  const end = Date.now() + ms;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await sleep(50);
  }
};
const heard = (service, type) => service.heard.filter((message) => message.type === type);

export async function calling(browser, service) {
  const far = await farEnd(browser, service);
  async function call(options = {}) {
    service.heard.length = 0;
    far.attend();
    const page = await open(browser, options.url ?? service.url, options);
    await page.evaluate(() => {
      window.told = [];
      for (const name of ['cordboard-state', 'cordboard-ended']) addEventListener(name, (event) => window.told.push([name, event.detail]));
    });
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByText('Listening', { exact: true }).waitFor();
    await until('media', async () => (await far.received()) > 5);
    return page;
  }
  const state = (page, words) => page.locator('.state .words', { hasText: words }).waitFor();

  return suite('calling', {
    'the page before a call': async () => {
      const page = await open(browser, service.url);
      await page.getByRole('button', { name: 'Call', exact: true }).waitFor();
      await screens(page, 'idle');
      await faultless(page);
      await page.context().close();
    },
    'a call: states, captions, an interruption, keys, hold, mute, a person, the end': async () => {
      const page = await call();
      assert.deepEqual(service.tokens.at(-1), { flow: 'parcel' });
      const begin = heard(service, 'begin')[0];
      assert.equal(begin.token, 'one');
      assert.match(begin.sdp, /useinbandfec=1;usedtx=1/);
      service.tell({ type: 'state', state: 'speaking', agent: null });
      await state(page, 'Speaking');
      const text = 'Where would you like it sent? Please say street, number and town.';
      service.tell({ type: 'assistant', prompt: 1, text: 'Hello, this is the automated assistant of Northline Parcels.', heard: 'Hello, this is the automated assistant of Northline Parcels.', done: true });
      service.tell({ type: 'caller', turn: 1, text: 'I want to change my address', final: true });
      service.tell({ type: 'assistant', prompt: 2, text, heard: 'Where would you', done: false });
      await page.getByText('Where would you', { exact: true }).waitFor();
      assert.equal(await page.getByText('like it sent?').count(), 0);
      service.tell({ type: 'assistant', prompt: 2, text, heard: 'Where would you like it sent?', done: true });
      await page.locator('s', { hasText: 'Please say street' }).waitFor();
      service.tell({ type: 'state', state: 'listening', agent: null });
      service.tell({ type: 'caller', turn: 2, text: 'twelve mill', final: false });
      await page.getByText('twelve mill', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Keypad' }).click();
      await page.keyboard.type('12');
      await page.getByRole('button', { name: '#' }).click();
      await page.getByText('12#').waitFor();
      assert.equal(heard(service, 'key').length, 0, 'keys go as tones where the far end takes them');
      await screens(page, 'in-call');
      await page.getByRole('button', { name: 'Keypad' }).click();
      await page.getByRole('button', { name: 'Mute' }).click();
      await until('mute', () => heard(service, 'mute').some((one) => one.on));
      await page.getByRole('button', { name: 'Mute' }).click();
      await page.getByRole('button', { name: 'Hold' }).click();
      await until('hold', () => heard(service, 'hold').some((one) => one.on));
      service.tell({ type: 'state', state: 'hold', agent: null });
      await state(page, 'On hold');
      await page.getByRole('button', { name: 'Hold' }).click();
      service.tell({ type: 'state', state: 'listening', agent: null });
      await page.getByRole('button', { name: 'Talk to a person' }).click();
      await until('person', () => heard(service, 'person').length === 1);
      service.tell({ type: 'state', state: 'waiting', agent: null });
      await state(page, 'Waiting for a colleague');
      service.tell({ type: 'state', state: 'agent', agent: 'Ada' });
      await state(page, 'With Ada');
      await until('stats', () => heard(service, 'stats').length > 0);
      await page.getByRole('button', { name: 'Hang up' }).click();
      await until('bye', () => heard(service, 'bye').length === 1);
      await page.getByText('Call ended', { exact: true }).first().waitFor();
      await screens(page, 'ended');
      const told = await page.evaluate(() => window.told);
      assert.deepEqual(told.at(-1), ['cordboard-ended', { call: '01J9CALL0000000000000000AA', outcome: 'abandoned', trouble: null }]);
      await faultless(page);
      await page.context().close();
    },
    'the service ends the call': async () => {
      const page = await call({ width: 390 });
      service.tell({ type: 'ended', cause: 'goodbye', outcome: 'message_taken' });
      await page.getByText('Your message was taken').waitFor();
      await page.getByRole('button', { name: 'Call again' }).waitFor();
      await page.context().close();
    },
    'a broken socket: the call resumes, and the sound went on': async () => {
      const page = await call();
      const before = await far.received();
      const ufrag = await far.restarts();
      service.tell({ type: 'state', state: 'waiting', agent: null });
      await state(page, 'Waiting');
      for (const socket of service.sockets) socket.terminate();
      await state(page, 'Reconnecting');
      await state(page, 'Waiting');
      const resume = heard(service, 'resume')[0];
      assert.equal(resume.call, '01J9CALL0000000000000000AA');
      assert.equal(resume.resume, 'secret');
      await until('a restart', async () => (await far.restarts()) !== ufrag);
      await until('media', async () => (await far.received()) > before + 20);
      await faultless(page);
      await page.context().close();
    },
    'two breaks, of a service that is away for a while': async () => {
      const page = await call();
      service.refuseSockets = true;
      for (const socket of service.sockets) socket.terminate();
      await state(page, 'Reconnecting');
      await accessible(page, 'reconnecting');
      await sleep(2_000);
      service.refuseSockets = false;
      await state(page, 'Listening');
      for (const socket of service.sockets) socket.terminate();
      await state(page, 'Reconnecting');
      await state(page, 'Listening');
      await page.context().close();
    },
    'the network changes: an ICE restart on the same socket': async () => {
      const page = await call();
      const ufrag = await far.restarts();
      await page.evaluate(() => dispatchEvent(new Event('online')));
      await until('an offer', () => heard(service, 'offer').length === 1);
      await until('a restart', async () => (await far.restarts()) !== ufrag);
      await state(page, 'Listening');
      await page.context().close();
    },
    'the service was restarted: the call is lost, in words': async () => {
      const page = await call();
      service.onMessage = (message, send, socket) => {
        if (message.type !== 'resume') return;
        send({ type: 'error', code: 'no_such_call', message: '', remedy: '' });
        socket.close(4000);
      };
      for (const socket of service.sockets) socket.close(1012);
      await page.getByRole('alert').filter({ hasText: 'The call was lost' }).waitFor();
      far.attend();
      await page.getByRole('button', { name: 'Call again' }).click();
      await state(page, 'Listening');
      await page.context().close();
    },
    'a service that stays away is given up, in words': async () => {
      // The 45 s are made 2.5.
      const page = await call({ before: 'const later = setTimeout; window.setTimeout = (then, ms) => later(then, ms === 45000 ? 2500 : ms);' });
      service.refuseSockets = true;
      for (const socket of service.sockets) socket.terminate();
      await page.getByRole('alert').filter({ hasText: 'The connection was lost' }).waitFor();
      await page.getByRole('button', { name: 'Call again' }).waitFor();
      service.refuseSockets = false;
      await faultless(page);
      await page.context().close();
    },
    'a microphone pulled out: the next takes over, or what to do is said until there is one': async () => {
      // What getUserMedia gives: a device, or none.
      const before = `const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        window.asked = 0; window.plugged = true; window.streams = [];
        navigator.mediaDevices.getUserMedia = async (wanted) => {
          window.asked += 1;
          if (!window.plugged) throw new DOMException('no', 'NotFoundError');
          const stream = await ask(wanted);
          window.streams.push(stream);
          return stream;
        };
        window.pullOut = (others) => {
          window.plugged = others;
          const track = window.streams.at(-1).getAudioTracks()[0];
          track.stop();
          track.dispatchEvent(new Event('ended'));
        };
        window.plugIn = () => { window.plugged = true; navigator.mediaDevices.dispatchEvent(new Event('devicechange')); };`;
      const page = await call({ before, width: 390 });
      const lost = page.getByRole('alert').filter({ hasText: 'Your microphone is gone, and nobody hears you.' });
      const flows = async () => {
        const had = await far.received();
        await until('sound', async () => (await far.received()) > had + 20);
      };
      await page.evaluate(() => window.pullOut(true));
      await until('another microphone', () => page.evaluate(() => window.streams.length === 2));
      await flows();
      assert.equal(await lost.count(), 0);
      await page.getByRole('button', { name: 'Mute' }).click();
      await page.evaluate(() => window.pullOut(false));
      await lost.waitFor();
      await screens(page, 'microphone-gone');
      // Something else is plugged in or out.
      await page.evaluate(() => navigator.mediaDevices.dispatchEvent(new Event('devicechange')));
      await until('a try', () => page.evaluate(() => window.asked === 4));
      assert.equal(await lost.count(), 1);
      await page.evaluate(() => window.plugIn());
      await lost.waitFor({ state: 'detached' });
      assert.equal(await page.evaluate(() => window.streams.at(-1).getAudioTracks()[0].enabled), false, 'muted is muted');
      await page.getByRole('button', { name: 'Mute' }).click();
      await flows();
      await page.getByRole('button', { name: 'Hang up' }).click();
      await page.getByText('Call ended', { exact: true }).first().waitFor();
      assert.equal(await page.evaluate(() => window.streams.flatMap((one) => one.getTracks()).every((track) => track.readyState === 'ended')), true);
      await faultless(page);
      await page.context().close();
    },
    'keys go as messages where the far end takes no tones': async () => {
      const page = await call({ before: 'Object.defineProperty(RTCRtpSender.prototype, "dtmf", { get: () => null });' });
      await page.getByRole('button', { name: 'Keypad' }).click();
      await page.keyboard.press('5');
      await until('a key', () => heard(service, 'key')[0]?.digit === '5');
      await page.context().close();
    },
    'sound that the browser blocks is turned on by a button': async () => {
      const before = `let blocked = true; const play = HTMLMediaElement.prototype.play;
        HTMLMediaElement.prototype.play = function () { return blocked ? Promise.reject(new DOMException('no', 'NotAllowedError')) : play.call(this); };
        addEventListener('unblock', () => (blocked = false));`;
      const page = await call({ before, width: 390 });
      await page.getByText('The browser has turned the sound off.').waitFor();
      await page.evaluate(() => dispatchEvent(new Event('unblock')));
      await page.getByRole('button', { name: 'Turn on sound' }).click();
      await page.getByText('The browser has turned the sound off.').waitFor({ state: 'detached' });
      await page.context().close();
    },
    'naughty words are words': async () => {
      const page = await call({ width: 390 });
      NAUGHTY.forEach((text, index) => {
        service.tell({ type: 'caller', turn: index, text, final: true });
        service.tell({ type: 'assistant', prompt: index, text: `${text} ${text}`, heard: text, done: true });
      });
      service.tell({ type: 'state', state: 'agent', agent: NAUGHTY[0] });
      await page.locator('.state .words', { hasText: NAUGHTY[0] }).waitFor();
      await sleep(300);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
      await accessible(page, 'naughty');
      await faultless(page);
      await page.context().close();
    },
    'the element on a company page of another origin, in a narrow place': async () => {
      service.pages['/company'] = {
        html: `<!doctype html><html lang="en"><title>Company</title><link rel="icon" href="data:,"><h1>Shop</h1><script type="module" src="http://localhost:${service.host.split(':')[1]}/cordboard-call.js"></script><div id="place"><cordboard-call flow="parcel" theme="dark" heading="Help"></cordboard-call></div>`,
        headers: { 'Content-Security-Policy': `default-src 'none'; img-src data:; style-src 'self'; script-src http://localhost:*; connect-src http://localhost:* ws://127.0.0.1:*; media-src blob:` },
      };
      const page = await open(browser, `${service.url}/company`, { width: 390 });
      await page.evaluate(() => (document.querySelector('#place').style.width = '240px'));
      far.attend();
      service.heard.length = 0;
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await page.getByText('Listening', { exact: true }).waitFor();
      service.tell({ type: 'assistant', prompt: 1, text: 'Hello there, how can I help?', heard: 'Hello there, how can I help?', done: true });
      await sleep(200);
      await page.screenshot({ path: new URL('../../../target/screens/narrow.png', import.meta.url).pathname });
      await faultless(page);
      await page.evaluate(() => document.querySelector('cordboard-call').remove());
      await until('bye', () => heard(service, 'bye').length === 1);
      await page.context().close();
    },
  });
}
