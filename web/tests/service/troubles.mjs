// Bad input against the real thing: a refused microphone, a spent token, foreign pages, and words made to break pages.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { accessible, faultless, launch, open, screens } from '../browser/harness.mjs';
import { caller } from './caller.mjs';
import { ROOT, SHARED, scratch } from './cordboard.mjs';
import { until } from './waiting.mjs';

const ATTACKS = [
  '<script>alert(1)</script>', '<img src=x onerror=alert(2)>', '"><svg onload=alert(3)>', "'\"><iframe src=javascript:alert(4)>",
  'javascript:alert(5)', '<style>*{display:none}</style>', '\u202Egnihton\u202C', '<a href="javascript:alert(6)">press</a>',
];

/** Naughty strings of the corpus that have the form of an attack on a page, and can be a prompt's text. */
function corpus() {
  try {
    const lines = readFileSync(join(SHARED, 'data/sip/text-attacks/blns_dev.txt'), 'utf8').split('\n');
    return lines.filter((line) => /[<>"'&`\\]|script|\p{Bidi_Control}/u.test(line) && !line.includes('{{') && !line.startsWith('#') && line.length < 160);
  } catch {
    return [];
  }
}

/** A flow whose texts are such strings, made of the example's. */
export function naughtyFlow() {
  const all = [...ATTACKS, ...corpus()];
  const words = (from, count) => JSON.stringify(all.slice(from, from + count).join(' . '));
  const flow = readFileSync(join(ROOT, 'flows/parcel.yaml'), 'utf8')
    .replace(/^name: .*$/m, 'name: naughty')
    .replace(/^greeting: .*$/m, `greeting: ${words(0, 24).replace('"', '"This is the automated assistant of ')}`)
    .replace(/^ {2}ask: "How can I help you\?"$/m, `  ask: ${words(24, 16)}`)
    .replace(/^ {2}goodbye: .*$/m, `  goodbye: ${words(40, 16)}`);
  const path = join(scratch(), 'naughty.yaml');
  writeFileSync(path, flow);
  return path;
}

/** Rings by SIP with a From made to break pages, and goes away. */
async function ringAs(service, user, name) {
  const socket = createSocket('udp4');
  await new Promise((done) => socket.bind(0, '127.0.0.1', done));
  const { port } = socket.address();
  const [host, to] = service.sip.split(':');
  const sdp = `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio ${port} RTP/AVP 0\r\n`;
  const branch = `z9hG4bK${Math.random().toString(36).slice(2)}`;
  const via = `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=${branch};rport`;
  const lines = [
    `INVITE sip:parcel@${service.sip} SIP/2.0`, via, 'Max-Forwards: 70', `From: ${JSON.stringify(name)} <sip:${user}@127.0.0.1>;tag=a1`,
    `To: <sip:parcel@${service.sip}>`, `Call-ID: ${branch}@x`, 'CSeq: 1 INVITE', `Contact: <sip:a@127.0.0.1:${port}>`,
    'Content-Type: application/sdp', `Content-Length: ${sdp.length}`, '', sdp,
  ];
  const answer = new Promise((done) => socket.on('message', (data) => {
    const text = String(data);
    const status = Number(/^SIP\/2\.0 (\d+)/.exec(text)?.[1] ?? 0);
    if (status < 200) return;
    const tag = /^To:.*$/im.exec(text)[0];
    for (const [method, number] of [['ACK', 1], ['BYE', 2]]) {
      const head = [`${method} sip:parcel@${service.sip} SIP/2.0`, via, 'Max-Forwards: 70', lines[3], tag, lines[5], `CSeq: ${number} ${method}`, 'Content-Length: 0', '', ''];
      socket.send(head.join('\r\n').replace(branch, `${branch}${number}`), to, host);
    }
    done(status);
  }));
  socket.send(lines.join('\r\n'), to, host);
  const status = await until('an answer to a call', () => Promise.race([answer, new Promise((done) => setTimeout(done, 200))]), 8_000);
  socket.close();
  return status;
}

/** A company's page of another origin, under a policy of its own. */
async function company(service, port = 0) {
  const html = `<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,"><h1>Shop</h1><script type="module" src="${service.url}/cordboard-call.js"></script><cordboard-call flow="parcel"></cordboard-call>`;
  const policy = `default-src 'none'; img-src data:; style-src 'self'; script-src ${service.url}; connect-src ${service.url} ${service.url.replace('http', 'ws')}; media-src blob:`;
  const server = createServer((request, response) => response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': policy }).end(html));
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  return { port: server.address().port, close: () => { server.closeAllConnections(); server.close(); } };
}

export const troubles = (browser, service, allowed) => ({
  async 'a microphone that is refused by the browser itself'() {
    const strict = await launch([], ['--use-fake-ui-for-media-stream']);
    try {
      const page = await open(strict, service.url, { permissions: [] });
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await page.getByRole('alert').waitFor();
      const words = await page.getByRole('alert').textContent();
      assert.match(words, /The microphone is not allowed/);
      await page.getByRole('button', { name: 'Call again' }).waitFor();
      await screens(page, 'service-refused');
      await faultless(page);
      await page.context().close();
      return words.trim().split('.')[0];
    } finally {
      await strict.close();
    }
  },
  async 'a token that was spent'() {
    const asked = await fetch(`${service.url}/v1/tokens`, { method: 'POST', headers: { origin: service.url, 'content-type': 'application/json' }, body: '{"flow":"parcel"}' });
    assert.equal(asked.status, 201);
    const given = await asked.json();
    const spender = new WebSocket(given.url);
    await new Promise((done) => spender.on('open', done));
    spender.send(JSON.stringify({ type: 'begin', token: given.token, sdp: 'v=0' }));
    await new Promise((done) => spender.on('close', done));
    const one = await caller(browser, service.url);
    await one.page.route('**/v1/tokens', (route) => route.fulfill({ status: 201, json: given }));
    await one.page.getByRole('button', { name: 'Call', exact: true }).click();
    await one.page.getByRole('alert').filter({ hasText: 'was used already' }).waitFor();
    await one.page.unroute('**/v1/tokens');
    await one.call();
    await one.hangUp();
    await service.ended(one.id);
    await faultless(one.page);
    await one.close();
    return 'told, and called again';
  },
  async 'a page of a foreign origin is refused; one that is allowed calls'() {
    const shops = await company(service);
    const foreign = await caller(browser, `http://localhost:${shops.port}/`);
    await foreign.page.getByRole('button', { name: 'Call', exact: true }).click();
    const alert = foreign.page.getByRole('alert');
    await alert.waitFor();
    const words = (await alert.locator('.title').textContent()).trim();
    await alert.filter({ hasText: 'not on the list of pages that may call' }).waitFor();
    // The refusal was read, and nothing had to be guessed from what the browser keeps to itself.
    await faultless(foreign.page);
    await foreign.close();
    shops.close();
    const ours = await company(service, allowed);
    const known = await caller(browser, `http://127.0.0.1:${allowed}/`);
    await known.call();
    await known.loud();
    await known.hangUp();
    assert.equal((await service.ended(known.id)).cause, 'bye');
    await faultless(known.page);
    await known.close();
    ours.close();
    assert.equal(words, 'This page may not place calls here');
    return `foreign: “${words}”; allowed: called`;
  },
  async 'words made to break pages, in prompts and addresses, break none'() {
    const statuses = [];
    for (const [user, name] of [['%3Cimg%20src=x%20onerror=alert(1)%3E', '<script>alert(1)</script>'], ["'-alert(1)-'", '"><svg onload=alert(3)>'], ['%22%3E%3Csvg%20onload=alert(1)%3E', '\u202Egnihton']]) {
      statuses.push(await ringAs(service, user, name));
    }
    const one = await caller(browser, `${service.url}/?flow=naughty`, { width: 390 });
    await one.call();
    await until('the greeting', async () => (await one.captions()).some(({ text }) => text.includes('alert')), 20_000);
    // A key stops the line; the rest of it is shown as not heard.
    await one.page.getByRole('button', { name: 'Keypad' }).click();
    await one.page.keyboard.press('5');
    const struck = await until('the rest of the line', async () => (await one.captions()).find(({ unheard }) => unheard.includes('onerror') || unheard.includes('<')), 20_000);
    assert.equal(await one.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    await accessible(one.page, 'naughty captions');
    await one.hangUp();
    await one.state('Call ended');
    await service.ended(one.id);
    await faultless(one.page);
    await one.close();
    for (const path of ['/calls', `/calls/${one.id}`]) {
      const page = await open(browser, `${service.url}${path}`, { width: 390 });
      await page.getByText(path === '/calls' ? 'naughty' : 'Timeline', { exact: path !== '/calls' }).first().waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, path);
      await accessible(page, `naughty ${path}`);
      await faultless(page);
      await page.context().close();
    }
    return `SIP answered ${statuses.join(', ')}; struck ${struck.unheard.length} characters; no dialog, no violation`;
  },
});
