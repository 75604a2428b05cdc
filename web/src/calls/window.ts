// The stretch of the call that the track shows: zoom and pan, in ms since the ring.

export interface Stretch {
  from_ms: number;
  to_ms: number;
}

/** Closer than this there is nothing to see in 8 kHz sound at 2 ms a peak. */
const WIDTH_MIN_MS = 400;

/** The whole call, and at least a second, so that an empty one has an axis. */
export const whole = (length_ms: number): Stretch => ({ from_ms: 0, to_ms: Math.max(1_000, length_ms) });

export function zoomed(shown: Stretch, factor: number, around_ms: number, length_ms: number): Stretch {
  const all = whole(length_ms).to_ms;
  const width = shown.to_ms - shown.from_ms;
  const next = Math.min(all, Math.max(WIDTH_MIN_MS, width * factor));
  const part = (around_ms - shown.from_ms) / width;
  return kept({ from_ms: around_ms - part * next, to_ms: around_ms + (1 - part) * next }, all);
}

export function panned(shown: Stretch, by_ms: number, length_ms: number): Stretch {
  return kept({ from_ms: shown.from_ms + by_ms, to_ms: shown.to_ms + by_ms }, whole(length_ms).to_ms);
}

/** Moves the stretch so far that the time is within it; the same one where it is. */
export function showing(shown: Stretch, at_ms: number, length_ms: number): Stretch {
  if (at_ms >= shown.from_ms && at_ms <= shown.to_ms) return shown;
  const width = shown.to_ms - shown.from_ms;
  return kept({ from_ms: at_ms - width / 4, to_ms: at_ms + (width * 3) / 4 }, whole(length_ms).to_ms);
}

function kept(stretch: Stretch, all_ms: number): Stretch {
  const width = Math.min(all_ms, stretch.to_ms - stretch.from_ms);
  const from_ms = Math.min(Math.max(0, stretch.from_ms), all_ms - width);
  return { from_ms, to_ms: from_ms + width };
}

/** Steps of the axis, ms: the smallest that leaves `pixels` between two. */
export function axisStep(shown: Stretch, width_px: number, pixels: number): number {
  const ms_a_pixel = (shown.to_ms - shown.from_ms) / width_px;
  const steps = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000];
  return steps.find((step) => step / ms_a_pixel >= pixels) ?? 3_600_000;
}
