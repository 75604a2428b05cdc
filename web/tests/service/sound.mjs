// Sound: made by flite, read, brought to 8 kHz, measured, and found again in other sound.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const HZ = 8_000;
const FOLDER = join(tmpdir(), 'cordboard-said');

/** A WAV file, 16 kHz, of what a voice of flite says. */
export function spoken(text, voice = 'rms') {
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, `${voice}-${Buffer.from(text).toString('hex').slice(0, 120)}.wav`);
  const made = spawnSync('flite', ['-voice', voice, '-t', text, '-o', path]);
  if (made.status !== 0) throw new Error(`flite: ${made.error ?? made.stderr}`);
  return path;
}

/** The channels of a WAV file of 16 bits, and its rate. */
export function readWav(bytes) {
  const data = Buffer.isBuffer(bytes) ? bytes : readFileSync(bytes);
  let at = 12;
  let format = null;
  while (at + 8 <= data.length) {
    const name = data.toString('latin1', at, at + 4);
    const size = data.readUInt32LE(at + 4);
    if (name === 'fmt ') format = { channels: data.readUInt16LE(at + 10), rate: data.readUInt32LE(at + 12), bits: data.readUInt16LE(at + 22) };
    if (name === 'data') {
      if (format?.bits !== 16) throw new Error(`a WAV file of ${format?.bits} bits`);
      // A file that is still written has no length yet.
      const end = size === 0 || at + 8 + size > data.length ? data.length : at + 8 + size;
      const count = Math.floor((end - at - 8) / 2 / format.channels);
      const channels = Array.from({ length: format.channels }, () => new Float32Array(count));
      for (let n = 0; n < count; n += 1) {
        for (let c = 0; c < format.channels; c += 1) channels[c][n] = data.readInt16LE(at + 8 + 2 * (n * format.channels + c)) / 32_768;
      }
      return { rate: format.rate, channels };
    }
    at += 8 + size + (size % 2);
  }
  throw new Error('no WAV file');
}

export function writeWav(samples, rate = HZ) {
  const data = Buffer.alloc(44 + 2 * samples.length);
  data.write('RIFF', 0, 'latin1');
  data.writeUInt32LE(36 + 2 * samples.length, 4);
  data.write('WAVEfmt ', 8, 'latin1');
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(2 * rate, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write('data', 36, 'latin1');
  data.writeUInt32LE(2 * samples.length, 40);
  samples.forEach((sample, n) => data.writeInt16LE(Math.round(Math.max(-1, Math.min(1, sample)) * 32_767), 44 + 2 * n));
  return data;
}

/** Brings sound to 8 kHz: windowed sinc, cut off at 3.6 kHz, so that nothing folds back. */
export function narrow(samples, rate) {
  if (rate === HZ) return samples;
  const step = rate / HZ;
  const half = Math.ceil(12 * step);
  const taps = new Float32Array(2 * half + 1);
  const cut = 3_600 / rate;
  let sum = 0;
  for (let n = -half; n <= half; n += 1) {
    const sinc = n === 0 ? 2 * cut : Math.sin(2 * Math.PI * cut * n) / (Math.PI * n);
    taps[n + half] = sinc * (0.5 + 0.5 * Math.cos((Math.PI * n) / half));
    sum += taps[n + half];
  }
  const out = new Float32Array(Math.floor(samples.length / step));
  for (let at = 0; at < out.length; at += 1) {
    const middle = Math.round(at * step);
    let value = 0;
    for (let n = -half; n <= half; n += 1) value += (samples[middle + n] ?? 0) * taps[n + half];
    out[at] = value / sum;
  }
  return out;
}

export const rms = (samples, from = 0, to = samples.length) => {
  let sum = 0;
  for (let n = Math.max(0, from); n < Math.min(samples.length, to); n += 1) sum += samples[n] * samples[n];
  return Math.sqrt(sum / Math.max(1, to - from));
};

/** -42 dBFS: above what a codec leaves of silence, below any speech. */
const SPEECH_RMS = 0.008;
const FRAME_MS = 10;

/** Whether each 10 ms is sound. */
export function loud(samples) {
  const frame = (HZ * FRAME_MS) / 1000;
  return Array.from({ length: Math.floor(samples.length / frame) }, (_, n) => rms(samples, n * frame, (n + 1) * frame) > SPEECH_RMS);
}

/** The first sound at or after a time, ms; null where there is none. */
export function firstSound(samples, from_ms) {
  const frames = loud(samples);
  for (let n = Math.max(0, Math.ceil(from_ms / FRAME_MS)); n < frames.length; n += 1) if (frames[n]) return n * FRAME_MS;
  return null;
}

/** When sound after a time ends, ms: where so much silence follows. */
export function silenceAfter(samples, from_ms, quiet_ms = 300) {
  const frames = loud(samples);
  let quiet = 0;
  for (let n = Math.ceil(from_ms / FRAME_MS); n < frames.length; n += 1) {
    quiet = frames[n] ? 0 : quiet + 1;
    if (quiet * FRAME_MS >= quiet_ms) return (n + 1 - quiet) * FRAME_MS;
  }
  return null;
}

/** The coarse search runs at 1 kHz. */
const COARSE = 8;
/** Samples by which a part may lie elsewhere than the whole: 30 ms. */
const APART = 240;

/** Finds a stretch of sound in other sound: where (ms), and how well it fits, 0 to 1. As tests/outside does: the
    fit is the median of its tenths, each looked for near its place, as a receiver leaves out or repeats periods. */
export function find(stretch, within) {
  const rough = best(coarse(stretch), coarse(within), 0, Infinity);
  const near = rough.at * COARSE;
  const found = best(stretch, within, near - 2 * COARSE, near + 2 * COARSE);
  const tenth = Math.floor(stretch.length / 10);
  const fits = Array.from({ length: 10 }, (_, n) => {
    const at = found.at + n * tenth;
    return best(stretch.subarray(n * tenth, (n + 1) * tenth), within, at - APART, at + APART).fit;
  }).sort((a, b) => a - b);
  return { at_ms: (found.at * 1000) / HZ, fit: fits[5] };
}

function coarse(samples) {
  return Float32Array.from({ length: Math.floor(samples.length / COARSE) }, (_, n) => {
    let sum = 0;
    for (let k = 0; k < COARSE; k += 1) sum += samples[n * COARSE + k];
    return sum / COARSE;
  });
}

function best(stretch, within, from, to) {
  const last = within.length - stretch.length;
  const wanted = energy(stretch, 0, stretch.length);
  let found = { at: 0, fit: 0 };
  let there = energy(within, Math.max(0, from), Math.max(0, from) + stretch.length);
  for (let at = Math.max(0, from); at <= Math.min(last, to); at += 1) {
    let product = 0;
    for (let n = 0; n < stretch.length; n += 1) product += stretch[n] * within[at + n];
    const fit = product / Math.max(1e-6, Math.sqrt(wanted * Math.max(0, there)));
    if (fit > found.fit) found = { at, fit };
    there += (within[at + stretch.length] ?? 0) ** 2 - within[at] ** 2;
  }
  return found;
}

function energy(samples, from, to) {
  let sum = 0;
  for (let n = from; n < to; n += 1) sum += (samples[n] ?? 0) ** 2;
  return sum;
}

/** The loudest stretch of a length between two times: where (ms), and the sound. */
export function loudest(samples, from_ms, to_ms, length_ms = 1_000) {
  const length = (length_ms * HZ) / 1000;
  let found = { at_ms: from_ms, level: 0 };
  for (let at_ms = from_ms; at_ms + length_ms <= to_ms; at_ms += 50) {
    const at = (at_ms * HZ) / 1000;
    const level = rms(samples, at, at + length);
    if (level > found.level) found = { at_ms, level };
  }
  const at = Math.round((found.at_ms * HZ) / 1000);
  return { ...found, sound: samples.subarray(at, at + length) };
}
