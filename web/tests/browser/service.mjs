// A service for the tests: dist/ under the pages' policy, tokens, a browser call's WebSocket, and the calls' API.
// What it answers is set by the test; media is answered by a second tab (far-end.mjs).
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { WebSocketServer } from 'ws';

const DIST = new URL('../../dist/', import.meta.url).pathname;
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; " +
  "connect-src 'self' ws: wss:; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export async function service() {
  const self = {
    /** Answers to POST /v1/tokens: { status, body, headers }. */
    token: () => ({ status: 201, body: self.permission() }),
    permission: () => ({ token: 'one', flow: 'parcel', expires: '2026-11-30T08:00:00Z', url: `ws://${self.host}/v1/browser-calls`, ice_servers: [] }),
    tokens: [],
    /** Messages of callers, and what to do with each: (message, send, socket). */
    heard: [],
    onMessage: () => {},
    refuseSockets: false,
    calls: [],
    details: {},
    timelines: {},
    packets: {},
    recordings: {},
    bearer: null,
    live: new Set(),
    sockets: new Set(),
    pages: {},
  };
  const server = createServer((request, response) => answer(self, request, response));
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    if (self.refuseSockets) return socket.destroy();
    sockets.handleUpgrade(request, socket, head, (client) => {
      const path = request.url;
      if (path === '/v1/live') watched(self, client);
      else caller(self, client);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  self.host = `127.0.0.1:${server.address().port}`;
  self.url = `http://${self.host}`;
  self.close = () => {
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections?.();
    return new Promise((resolve) => server.close(resolve));
  };
  self.tell = (message) => {
    for (const client of self.sockets) client.send(JSON.stringify(message));
  };
  self.tellLive = (message) => {
    for (const client of self.live) client.send(JSON.stringify(message));
  };
  return self;
}

function caller(self, client) {
  self.sockets.add(client);
  client.on('close', () => self.sockets.delete(client));
  const send = (message) => client.readyState === 1 && client.send(JSON.stringify(message));
  client.on('message', (data) => {
    const message = JSON.parse(String(data));
    self.heard.push(message);
    self.onMessage(message, send, client);
  });
}

function watched(self, client) {
  client.on('message', (data) => {
    client.watch = JSON.parse(String(data));
    self.live.add(client);
  });
  client.on('close', () => self.live.delete(client));
}

function answer(self, request, response) {
  const url = new URL(request.url, self.url);
  const send = (status, type, body, headers = {}) => {
    response.writeHead(status, { 'Content-Type': type, ...headers });
    response.end(body);
  };
  const json = (status, body, headers) => send(status, 'application/json', JSON.stringify(body), headers);
  const refusal = (status, code) => json(status, { error: { code, message: code, remedy: code } });
  if (url.pathname === '/v1/tokens') return token(self, request, json);
  if (url.pathname in self.pages) return send(200, 'text/html', self.pages[url.pathname].html, self.pages[url.pathname].headers);
  const page = url.pathname === '/' ? 'index.html' : /^\/calls(\/|$)/.test(url.pathname) ? 'calls.html' : null;
  if (page) return send(200, 'text/html', readFileSync(join(DIST, page)), { 'Content-Security-Policy': POLICY });
  if (url.pathname.startsWith('/v1/')) {
    if (self.bearer !== null && request.headers.authorization !== `Bearer ${self.bearer}`) return refusal(401, 'unauthorized');
    return read(self, url, json, send, refusal);
  }
  try {
    const cors = { 'Access-Control-Allow-Origin': '*' };
    return send(200, TYPES[extname(url.pathname)] ?? 'application/octet-stream', readFileSync(join(DIST, url.pathname)), cors);
  } catch {
    return send(404, 'text/plain', 'no such file');
  }
}

function token(self, request, json) {
  const cors = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': 'Content-Type', 'Access-Control-Expose-Headers': 'Retry-After' };
  if (request.method === 'OPTIONS') return json(204, null, cors);
  let text = '';
  request.on('data', (part) => (text += part));
  request.on('end', () => {
    self.tokens.push(JSON.parse(text));
    const { status, body, headers } = self.token();
    if (status === 0) request.socket.destroy();
    else json(status, body, { ...cors, ...headers });
  });
}

function read(self, url, json, send, refusal) {
  if (url.pathname === '/v1/flows') return json(200, { flows: ['parcel'] });
  if (url.pathname === '/v1/calls') {
    const before = url.searchParams.get('before');
    const from = before === null ? 0 : self.calls.findIndex((call) => call.id === before) + 1;
    const page = self.calls.slice(from, from + Number(url.searchParams.get('limit') ?? 50));
    const more = from + page.length < self.calls.length;
    return json(200, { calls: page, next: more ? page.at(-1).id : null });
  }
  const [, id, part] = /^\/v1\/calls\/([^/]+)(?:\/(\w+))?$/.exec(url.pathname) ?? [];
  const detail = self.details[id];
  if (!detail) return refusal(404, 'no_such_call');
  if (part === undefined) return json(200, detail);
  if (part === 'timeline') {
    const after = Number(url.searchParams.get('after') ?? 0);
    const limit = Number(url.searchParams.get('limit'));
    const entries = self.timelines[id].filter((entry) => entry.seq > after).slice(0, limit);
    return json(200, { call: id, ended: detail.ended !== null, entries, next: null });
  }
  if (part === 'context') return self.packets[id] ? json(200, self.packets[id]) : refusal(404, 'no_packet');
  if (part === 'recording' && self.recordings[id]) return send(200, 'audio/wav', self.recordings[id], { 'X-Recording-Complete': 'true' });
  return refusal(404, 'no_recording');
}
