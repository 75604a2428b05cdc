// Each trouble is told in words, with what to do.
import assert from 'node:assert/strict';
import { faultless, open, screens, suite } from './harness.mjs';

const fail = (name) => `navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', '${name}'); };`;
const refusal = (status, code, headers = {}) => ({ status, body: { error: { code, message: code, remedy: code } }, headers });

export async function troubles(browser, service) {
  async function told(before, expected, url = service.url) {
    const page = await open(browser, url, { before, width: 390 });
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    const alert = page.getByRole('alert');
    await alert.filter({ hasText: expected }).waitFor({ timeout: 8_000 });
    await faultless(page);
    return page;
  }
  const ofToken = (answer, expected) => async () => {
    service.token = () => answer;
    await (await told(null, expected)).context().close();
  };
  const ofSocket = (code, expected) => async () => {
    service.token = () => ({ status: 201, body: service.permission() });
    service.onMessage = (message, send, socket) => {
      if (message.type !== 'begin') return;
      send({ type: 'error', code, message: code, remedy: code });
      socket.close(4000);
    };
    await (await told(null, expected)).context().close();
  };

  return suite('troubles', {
    'a refused microphone': async () => {
      const page = await told(fail('NotAllowedError'), 'The microphone is not allowed');
      await screens(page, 'refused');
      await page.getByRole('button', { name: 'Call again' }).waitFor();
      await page.context().close();
    },
    'no microphone': async () => (await told(fail('NotFoundError'), 'No microphone was found')).context().close(),
    'a busy microphone': async () => (await told(fail('NotReadableError'), 'The microphone is in use')).context().close(),
    'no secure context': async () => (await told('Object.defineProperty(window, "isSecureContext", { value: false })', 'cannot use a microphone')).context().close(),
    'no WebRTC': async () => (await told('delete window.RTCPeerConnection', 'This browser cannot make calls')).context().close(),
    'a service that is away': ofToken({ status: 0 }, 'The service cannot be reached'),
    'an address that may not': ofToken(refusal(403, 'foreign_origin'), 'This page may not place calls here'),
    'no token': ofToken(refusal(401, 'unauthorized'), 'This page may not place the call'),
    'no such flow': ofToken(refusal(404, 'no_such_flow'), 'Nobody answers under this name'),
    'too many calls, with the time to wait': ofToken(refusal(429, 'too_many', { 'Retry-After': '40' }), 'Please call again in 40 seconds.'),
    'no room': ofToken(refusal(503, 'no_room'), 'All lines are busy'),
    'an answer that is none': ofToken({ status: 201, body: { hello: 1 } }, 'did not understand this page'),
    'a spent token': ofSocket('token_spent', 'was used already'),
    'a token that has run out': ofSocket('token_expired', 'has run out'),
    'an unknown token': ofSocket('token_unknown', 'may not place the call'),
    'a service that drains': ofSocket('draining', 'is being restarted'),
    'a socket that is refused': async () => {
      service.token = () => ({ status: 201, body: service.permission() });
      service.refuseSockets = true;
      await (await told(null, 'The service cannot be reached')).context().close();
      service.refuseSockets = false;
    },
    'the troubles did no harm: the page calls again': async () => {
      service.token = () => refusal(503, 'no_room');
      const page = await told(null, 'All lines are busy');
      service.token = () => refusal(429, 'too_many');
      await page.getByRole('button', { name: 'Call again' }).click();
      await page.getByRole('alert').filter({ hasText: 'Too many calls' }).waitFor();
      assert.equal(await page.getByRole('alert').count(), 1);
      await page.context().close();
      service.token = () => ({ status: 201, body: service.permission() });
    },
  });
}
