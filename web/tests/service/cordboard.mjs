// The binary and what it needs, as processes that end with the test; and its HTTP side.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync, createWriteStream } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './waiting.mjs';

export const ROOT = new URL('../../../', import.meta.url).pathname;
export const SHARED = resolve(ROOT, '../shared');
const CORDBOARD = process.env.CORDBOARD ?? join(ROOT, 'target/debug/cordboard');
const ORDER_SERVICE = process.env.ORDER_SERVICE ?? join(ROOT, 'target/debug/examples/order_service');
/** A debug build speaks its prompts before it is ready, on a machine that does other things as well. */
const STARTED_MS = 60_000;

const told = new Set();
/** Whether a program is there; if not, that is told once, and what needs it is passed over. */
export function has(program, why) {
  const there = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  if (!there && !told.has(program)) {
    told.add(program);
    console.log(`skip ${program} is not there: ${why} is passed over`);
  }
  return there;
}

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

/** Starts a program whose lines can be waited for. */
export function start(program, args, { cwd, log, env } = {}) {
  const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const lines = [];
  let fault = null;
  child.on('error', (error) => (fault = error));
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  if (log) child.stderr.pipe(createWriteStream(log, { flags: 'a' }));
  else child.stderr.resume();
  const gone = new Promise((done) => child.on('exit', (code) => { running.delete(child); done(code); }));
  return {
    child,
    lines,
    gone,
    said: (begin, ms = STARTED_MS) => until(`${program} to say ${begin}`, () => {
      if (fault) throw fault;
      const line = lines.find((one) => one.startsWith(begin));
      if (line === undefined && child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}: ${log ? readFileSync(log, 'utf8').slice(-2_000) : ''}`);
      return line?.slice(begin.length).trim() ?? null;
    }, ms),
    kill: async (signal = 'SIGKILL') => { child.kill(signal); await gone; },
  };
}

const folders = [];
process.on('exit', () => {
  for (const folder of process.env.KEEP ? [] : folders) rmSync(folder, { recursive: true, force: true });
});

export const scratch = () => {
  const folder = mkdtempSync(join(tmpdir(), 'cordboard-service-'));
  folders.push(folder);
  return folder;
};

/** A port that nobody had a moment ago. */
export const freePort = () => new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => done(port));
  });
});

let orders = null;
/** The company's own system of the example flow. */
export function orderService() {
  orders ??= (async () => {
    const program = start(ORDER_SERVICE, ['--listen', '127.0.0.1:0']);
    return `http://${await program.said('listening on ')}`;
  })();
  return orders;
}

function settings(folder, { orders: system, publicUrl, listen, flow, route = 'parcel', browser = '', more = '', recognizers = 1 }) {
  return `
[sip]
listen_udp = "127.0.0.1:0"
listen_tcp = "127.0.0.1:0"
destinations = ["127.0.0.1"]
[[route]]
to = "${route}"
flow = "${flow ?? join(ROOT, 'flows/parcel.yaml')}"
variables = { service = "${system}" }
[models]
vad = "auto"
silero_weights = "${join(ROOT, 'models/weights/silero_vad.onnx')}"
smart_turn_weights = "${join(ROOT, 'models/weights/smart-turn-v3.2-cpu.onnx')}"
recognizer = "pocketsphinx"
recognizers = ${recognizers}
voice_engine = "flite"
synthesizers = 1
[store]
folder = "${join(folder, 'data')}"
recording = true
[api]
listen = "127.0.0.1:${listen ?? 0}"
${publicUrl ? `public_url = "${publicUrl}"` : ''}
[admission]
on = false
[log]
filter = "info"
[browser]
tokens_a_minute = 600
${browser}
${more}
`;
}

/** Starts \`cordboard serve\`; \`changes\` are the parts of settings(). */
export async function cordboard(changes = {}) {
  const folder = changes.folder ?? scratch();
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'c.toml');
  writeFileSync(config, settings(folder, { ...changes, orders: await orderService() }));
  const log = join(folder, 'serve.log');
  const program = start(CORDBOARD, ['serve', '--config', config], { cwd: folder, log });
  const sip = await program.said('sip udp ');
  const host = await program.said('http ');
  await program.said('ready');
  return { ...api(`http://${host}`), folder, host, sip, program, log: () => readFileSync(log, 'utf8'), close: () => program.kill('SIGKILL') };
}

/** What the tests ask of the HTTP side. */
export function api(url) {
  const get = async (path) => {
    const response = await fetch(`${url}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  // A call that began just now is not there for some 100 ms.
  const timeline = async (call) => (await until('the call', () => get(`/v1/calls/${call}/timeline?limit=5000`).catch((error) => {
    if (!error.message.includes('no_such_call')) throw error;
    return null;
  }), 5_000)).entries;
  return {
    url,
    get,
    timeline,
    call: (id) => get(`/v1/calls/${id}`),
    /** The first entry of the call that is so. */
    entry: (call, what, is, ms = 20_000) => until(`an entry: ${what}`, async () => (await timeline(call)).find(is) ?? null, ms, 100),
    ended: (call, ms = 20_000) => until('the end of the call', async () => {
      const one = await get(`/v1/calls/${call}`).catch(() => null);
      return one?.ended ? one : null;
    }, ms),
    /** Stereo at 8 kHz: left the caller, right the assistant. */
    recording: (call) => until('the recording', async () => {
      const response = await fetch(`${url}/v1/calls/${call}/recording`);
      return response.ok ? Buffer.from(await response.arrayBuffer()) : null;
    }, 10_000),
  };
}

/** A way to the HTTP side that can be cut: connections dropped, and new ones refused or left hanging. */
export async function proxy() {
  const pairs = new Set();
  let target = null;
  let cut = false;
  const server = createServer((near) => {
    if (cut || target === null) return near.destroy();
    const far = connect(target, '127.0.0.1');
    const pair = { near, far };
    pairs.add(pair);
    const end = () => { pairs.delete(pair); near.destroy(); far.destroy(); };
    for (const socket of [near, far]) socket.on('error', end).on('close', end);
    near.pipe(far);
    far.pipe(near);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    to: (host) => (target = Number(host.split(':').at(-1))),
    cut: () => { cut = true; for (const { near, far } of pairs) { near.destroy(); far.destroy(); } },
    mend: () => (cut = false),
    close: () => { for (const { near, far } of pairs) { near.destroy(); far.destroy(); } server.close(); },
  };
}
