// Where the time between the caller's last word and the first sound of the answer went.
import type { Entry } from './entries';
import type { Tracks } from './tracks';

export type Stage = 'pause' | 'recognition' | 'tools' | 'answer';

export interface Wait {
  seq: number;
  /** End of the caller's speech, ms since the ring. */
  from_ms: number;
  total_ms: number;
  words: string;
  stages: readonly { stage: Stage; ms: number }[];
  tools: readonly string[];
  foreseen: boolean;
}

export const STAGES: Record<Stage, string> = {
  pause: 'until the turn was judged over',
  recognition: 'until the words were known',
  tools: 'tools',
  answer: 'language model and voice, to the first sound',
};

const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

export function waits(entries: readonly Entry[], tracks: Tracks): Wait[] {
  const foreseen = entries.filter((entry) => entry.what === 'foreseen');
  return entries.filter((entry) => entry.what === 'latency').map((entry) => {
    const f = entry.fields;
    const spoke = number(f.speech_ended_ms);
    const first = Math.max(spoke, number(f.first_sound_ms));
    // Work that was foreseen may end before the turn does; no stage is negative, and together they are the wait.
    const judged = Math.min(first, Math.max(spoke, number(f.turn_ended_ms)));
    const known = Math.min(first, Math.max(judged, number(f.recognized_ms)));
    const within = tracks.tools.filter((tool) => tool.to_ms > known && tool.from_ms < first);
    const tools_ms = covered(within.map((tool) => [Math.max(known, tool.from_ms), Math.min(first, tool.to_ms)]));
    const turn = [...tracks.turns].reverse().find((one) => one.kind !== 'aside' && Math.abs(one.to_ms - spoke) < SAME_MS);
    return {
      seq: entry.seq,
      from_ms: spoke,
      total_ms: first - spoke,
      words: turn?.text ?? '',
      stages: [
        { stage: 'pause', ms: judged - spoke },
        { stage: 'recognition', ms: known - judged },
        { stage: 'tools', ms: tools_ms },
        { stage: 'answer', ms: first - known - tools_ms },
      ],
      tools: within.map((tool) => tool.tool),
      foreseen: foreseen.some((one) => one.at_ms >= spoke && one.at_ms <= first),
    };
  });
}

/** Ends of speech that differ by less are the same one, as two entries have it. */
const SAME_MS = 250;

/** Length that the spans cover together. */
function covered(spans: [number, number][]): number {
  let sum = 0;
  let reached = -Infinity;
  for (const [from, to] of spans.sort((a, b) => a[0] - b[0])) {
    sum += Math.max(0, to - Math.max(from, reached));
    reached = Math.max(reached, to);
  }
  return sum;
}

/** The smallest value that `part` of the values do not exceed (nearest rank); null of none. */
export function quantile(values: readonly number[], part: number): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? null;
}
