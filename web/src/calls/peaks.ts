// The waveform, computed once: the loudest sample of each 2 ms, from which every zoom is drawn.

export const PEAKS_A_SECOND = 500;

export function peaks(samples: Float32Array, rate_hz: number): Float32Array {
  const step = rate_hz / PEAKS_A_SECOND;
  const found = new Float32Array(Math.ceil(samples.length / step));
  for (let index = 0; index < found.length; index += 1) {
    const end = Math.min(samples.length, Math.floor((index + 1) * step));
    let peak = 0;
    for (let at = Math.floor(index * step); at < end; at += 1) peak = Math.max(peak, Math.abs(samples[at]!));
    found[index] = peak;
  }
  return found;
}

/** The loudest between two times, ms since the recording's begin. */
export function loudest(found: Float32Array, from_ms: number, to_ms: number): number {
  const first = Math.max(0, Math.floor((from_ms * PEAKS_A_SECOND) / 1000));
  const last = Math.min(found.length, Math.max(first + 1, Math.ceil((to_ms * PEAKS_A_SECOND) / 1000)));
  let peak = 0;
  for (let at = first; at < last; at += 1) peak = Math.max(peak, found[at]!);
  return peak;
}
