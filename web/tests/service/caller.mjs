// A caller at the page: a microphone that speaks on command, and a tape of what was said and what was played.
import { readFileSync } from 'node:fs';
import { open } from '../browser/harness.mjs';
import { narrow } from './sound.mjs';
import { until } from './waiting.mjs';

/** Runs in the page before its own scripts. Both sides are taped by one node, so that they have one clock. */
function ears({ relay, fakeMicrophone }) {
  const made = { context: null, microphone: null, tape: [], sockets: [], peers: [], remote: 0 };
  window.ears = made;
  function context() {
    if (made.context) return made.context;
    const ctx = new AudioContext({ sampleRate: 48_000 });
    made.context = ctx;
    made.microphone = ctx.createMediaStreamDestination();
    made.voice = ctx.createGain();
    made.voice.connect(made.microphone);
    made.merger = ctx.createChannelMerger(2);
    made.voice.connect(made.merger, 0, 0);
    const silence = ctx.createConstantSource();
    silence.offset.value = 0;
    silence.connect(made.voice);
    silence.connect(made.merger, 0, 1);
    silence.start();
    made.silence = silence;
    // A ScriptProcessor, as the pages' policy lets no worklet of a blob: in.
    // Held by the window: a node that nothing refers to is collected in the middle of a call.
    const taper = ctx.createScriptProcessor(4_096, 2, 1);
    made.taper = taper;
    made.merger.connect(taper);
    taper.connect(ctx.destination);
    taper.onaudioprocess = (event) => {
      const input = event.inputBuffer;
      made.tape.push({ at: event.playbackTime, said: input.getChannelData(0).slice(), heard: input.getChannelData(1).slice() });
    };
    void ctx.resume();
    return ctx;
  }
  made.say = async (base64, gain = 1) => {
    const ctx = context();
    const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
    const source = ctx.createBufferSource();
    source.buffer = await ctx.decodeAudioData(bytes.buffer);
    const level = ctx.createGain();
    level.gain.value = gain;
    source.connect(level).connect(made.voice);
    await new Promise((done) => { source.onended = done; source.start(); });
  };
  made.listen = (stream) => {
    made.source?.disconnect();
    made.source = context().createMediaStreamSource(stream);
    made.source.connect(made.merger, 0, 1);
    made.remote += 1;
  };
  made.level = () => {
    const last = made.tape.slice(-3);
    let peak = 0;
    for (const { heard } of last) for (const sample of heard) peak = Math.max(peak, Math.abs(sample));
    return peak;
  };
  if (fakeMicrophone) {
    navigator.mediaDevices.getUserMedia = async () => { context(); return made.microphone.stream; };
  }
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    constructor(configuration) {
      // A relay alone: the one of that address, where there are several.
      const servers = configuration.iceServers.filter(({ urls }) => urls.includes(relay));
      super(relay ? { ...configuration, iceServers: servers, iceTransportPolicy: 'relay' } : configuration);
      made.peers.push(this);
      made.states = [];
      this.addEventListener('iceconnectionstatechange', () => made.states.push([performance.now(), this.iceConnectionState]));
      this.addEventListener('track', (event) => made.listen(event.streams[0] ?? new MediaStream([event.track])));
    }
  };
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(...args) {
      super(...args);
      made.sockets.push(this);
      this.addEventListener('message', (event) => made.messages.push([performance.now(), JSON.parse(event.data)]));
    }
    send(data) {
      made.sent.push([performance.now(), JSON.parse(data)]);
      super.send(data);
    }
  };
  made.messages = [];
  made.sent = [];
  made.told = [];
  for (const name of ['cordboard-state', 'cordboard-ended']) {
    addEventListener(name, (event) => made.told.push([performance.now(), name, event.detail]));
  }
}

const base64 = (path) => readFileSync(path).toString('base64');

/** Opens the caller's page. */
export async function caller(browser, url, { relay = false, fakeMicrophone = true, before = null, ...options } = {}) {
  const script = `(${ears})(${JSON.stringify({ relay, fakeMicrophone })});${before ?? ''}`;
  const page = await open(browser, url, { ...options, before: script });
  const words = page.locator('.state .words').first();
  const self = {
    page,
    /** Presses Call; gives the call's id once it is there. */
    async call(ms = 15_000) {
      const began = Date.now();
      await page.evaluate(() => (window.ears.messages.length = 0));
      await page.getByRole('button', { name: /^Call( again)?$/ }).click();
      self.id = await until('an answer', () => page.evaluate(() => window.ears.messages.findLast(([, one]) => one.type === 'answer')?.[1].call), ms, 20);
      await until('a connection', () => page.evaluate(() => ['connected', 'completed'].includes(window.ears.peers.at(-1)?.iceConnectionState)), ms, 10);
      self.connected_ms = Date.now() - began;
      return self.id;
    },
    say: (path, gain) => page.evaluate(([sound, level]) => window.ears.say(sound, level), [base64(path), gain ?? 1]),
    state: (text, ms = 15_000) => page.locator('.state .words', { hasText: text }).first().waitFor({ timeout: ms }),
    words: () => words.textContent(),
    sent: (type) => page.evaluate((wanted) => window.ears.sent.map(([, one]) => one).filter((one) => one.type === wanted), type),
    messages: (type) => page.evaluate((wanted) => window.ears.messages.map(([, one]) => one).filter((one) => one.type === wanted), type),
    /** The captions as the page shows them. */
    captions: () => page.locator('.captions li').evaluateAll((items) => items.map((item) => ({
      who: item.classList.contains('caller') ? 'caller' : 'assistant',
      text: item.querySelector('p > bdi')?.textContent ?? '',
      unheard: item.querySelector('s bdi')?.textContent ?? '',
      partial: item.classList.contains('partial'),
    }))),
    /** Waits until the assistant has begun, and has then been silent for so long; what it plays decides, not what is shown. */
    async hears(quiet_ms = 500, ms = 20_000) {
      await until('the assistant to speak', () => page.evaluate(() => window.ears.level() > 0.03), ms, 40);
      await self.quiet(quiet_ms, ms);
    },
    quiet: (quiet_ms, ms = 15_000) => until('the assistant to be silent (music, where it gave up?)', () => page.evaluate((wanted) => {
      const frames = window.ears.tape.slice(-Math.ceil((wanted * 48) / 4_096));
      return frames.every(({ heard }) => heard.every((sample) => Math.abs(sample) < 0.02));
    }, quiet_ms), ms, 40),
    loud: (ms = 20_000) => until('sound', () => page.evaluate(() => window.ears.level() > 0.03), ms, 20),
    /** Both sides of the call at 8 kHz, from the first moment of the tape on; gaps are silence. */
    async tape() {
      const parts = await page.evaluate(() => {
        const { tape } = window.ears;
        const first = tape[0].at;
        // The times of blocks waver by a few ms, and the blocks follow one another: only where whole ones are
        // missing does the time count.
        let next = 0;
        const places = tape.map((one) => {
          const missing = Math.round(((one.at - first) * 48_000 - next) / 4_096);
          const place = next + Math.max(0, missing) * 4_096;
          next = place + 4_096;
          return place;
        });
        const said = new Int16Array(next);
        const heard = new Int16Array(next);
        tape.forEach((one, index) => {
          for (let n = 0; n < 4_096; n += 1) {
            said[places[index] + n] = Math.max(-1, Math.min(1, one.said[n])) * 32_767;
            heard[places[index] + n] = Math.max(-1, Math.min(1, one.heard[n])) * 32_767;
          }
        });
        const text = (samples) => {
          const bytes = new Uint8Array(samples.buffer);
          let out = '';
          for (let at = 0; at < bytes.length; at += 32_768) out += String.fromCharCode(...bytes.subarray(at, at + 32_768));
          return btoa(out);
        };
        return [text(said), text(heard)];
      });
      const samples = (text) => {
        const bytes = Buffer.from(text, 'base64');
        return narrow(Float32Array.from({ length: bytes.length / 2 }, (_, n) => bytes.readInt16LE(2 * n) / 32_768), 48_000);
      };
      return { said: samples(parts[0]), heard: samples(parts[1]) };
    },
    /** How the clock of sound lies to that of this machine, ms: asked many times, and the soonest answer is taken. */
    clock: () => page.evaluate(async () => {
      let least = Infinity;
      for (let n = 0; n < 100; n += 1) {
        least = Math.min(least, performance.timeOrigin + performance.now() - window.ears.context.currentTime * 1000);
        await new Promise((done) => setTimeout(done, 3));
      }
      return least;
    }),
    /** When the tape began, by the clock of this machine: a block is handed out when it is full, to be played one later. */
    tapeBegan: async (clock) => clock + (await page.evaluate(() => window.ears.tape[0].at)) * 1000 - (2 * 4_096) / 48,
    hangUp: () => page.getByRole('button', { name: 'Hang up' }).click(),
    close: () => page.context().close(),
  };
  return self;
}
