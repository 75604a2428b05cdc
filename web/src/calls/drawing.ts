// Draws the track: axis, the caller's lane, the assistant's lane, and a lane of tools and marks.
import { offset } from './format';
import { loudest } from './peaks';
import type { Mark, Tracks } from './tracks';
import { axisStep, type Stretch } from './window';

export interface Waveform {
  caller: Float32Array;
  assistant: Float32Array;
}

export interface Picture {
  tracks: Tracks;
  waveform: Waveform | null;
  shown: Stretch;
  cursor_ms: number;
  width_px: number;
}

export interface Colours {
  text: string;
  muted: string;
  line: string;
  caller: string;
  callerSoft: string;
  assistant: string;
  assistantSoft: string;
  tool: string;
  toolSoft: string;
  bad: string;
  cursor: string;
}

/** Lanes, px from the top. */
const AXIS = { top: 0, height: 22 };
const CALLER = { top: 26, height: 72 };
const ASSISTANT = { top: 102, height: 72 };
const EVENTS = { top: 180, height: 40 };
export const HEIGHT_PX = EVENTS.top + EVENTS.height;
/** Room for the words of a block, px. */
const WORDS_PX = 18;
/** A block narrower than this has no words. */
const WORDS_MIN_PX = 28;

interface Block {
  from_ms: number;
  to_ms: number;
  fill: string;
  edge: string;
  text: string;
  /** Dashed: not meant for the assistant, or still open. */
  dashed: boolean;
}

export function draw(context: CanvasRenderingContext2D, picture: Picture, colours: Colours): void {
  const { tracks, waveform, shown, width_px } = picture;
  const x = (ms: number) => ((ms - shown.from_ms) / (shown.to_ms - shown.from_ms)) * width_px;
  context.clearRect(0, 0, width_px, HEIGHT_PX);
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  axis(context, picture, colours, x);
  const seen = (one: { from_ms: number; to_ms: number }) => one.to_ms >= shown.from_ms && one.from_ms <= shown.to_ms;

  for (const turn of tracks.turns.filter(seen)) {
    block(context, CALLER, x, colours, {
      ...turn, fill: colours.callerSoft, edge: turn.kind === 'rejected' ? colours.bad : colours.caller, dashed: turn.kind === 'aside',
    });
  }
  const prompts = tracks.prompts.filter(seen);
  for (const [index, prompt] of prompts.entries()) {
    block(context, ASSISTANT, x, colours, {
      ...prompt,
      text: prompt.open ? prompt.text : prompt.heard || prompt.text,
      fill: colours.assistantSoft,
      edge: colours.assistant,
      dashed: prompt.open,
    });
    const next = prompts[index + 1];
    const room = (next === undefined ? width_px : x(next.from_ms)) - x(prompt.to_ms);
    if (prompt.unsaid !== '') cut(context, x(prompt.to_ms), room, prompt.unsaid, colours);
  }
  if (waveform !== null && tracks.recording_ms !== null) {
    wave(context, CALLER, waveform.caller, tracks.recording_ms, picture, colours.caller);
    wave(context, ASSISTANT, waveform.assistant, tracks.recording_ms, picture, colours.assistant);
  }
  for (const tool of tracks.tools.filter(seen)) {
    block(context, { top: EVENTS.top, height: 18 }, x, colours, {
      ...tool, fill: colours.toolSoft, edge: tool.verdict === 'done' ? colours.tool : colours.bad, dashed: tool.took_ms === null,
    });
  }
  marks(context, tracks.marks.filter((one) => one.at_ms >= shown.from_ms && one.at_ms <= shown.to_ms), x, colours, width_px);

  context.fillStyle = colours.cursor;
  context.fillRect(Math.min(Math.round(x(picture.cursor_ms)) - 1, width_px - 2), 0, 2, HEIGHT_PX);
}

function axis(context: CanvasRenderingContext2D, picture: Picture, colours: Colours, x: (ms: number) => number): void {
  const { shown, width_px } = picture;
  const step = axisStep(shown, width_px, 84);
  for (let at = Math.ceil(shown.from_ms / step) * step; at <= shown.to_ms; at += step) {
    context.fillStyle = colours.line;
    context.fillRect(Math.round(x(at)), AXIS.top, 1, HEIGHT_PX);
    const label = step < 1_000 ? offset(at) : offset(at).slice(0, -4);
    context.fillStyle = colours.muted;
    context.fillText(label, Math.round(x(at)) + 4, AXIS.height / 2);
  }
  context.fillStyle = colours.line;
  for (const lane of [CALLER, ASSISTANT]) context.fillRect(0, lane.top + lane.height + 2, width_px, 1);
}

function block(
  context: CanvasRenderingContext2D,
  lane: { top: number; height: number },
  x: (ms: number) => number,
  colours: Colours,
  one: Block,
): void {
  const left = x(one.from_ms);
  const width = Math.max(2, x(one.to_ms) - left);
  context.fillStyle = one.fill;
  context.fillRect(left, lane.top, width, lane.height);
  context.strokeStyle = one.edge;
  context.lineWidth = 1;
  context.setLineDash(one.dashed ? [3, 3] : []);
  context.strokeRect(Math.round(left) + 0.5, lane.top + 0.5, Math.max(1, Math.round(width) - 1), lane.height - 1);
  context.setLineDash([]);
  // The words stay in sight while the block's begin is to the left of it.
  const from = Math.max(left, 0);
  const room = left + width - from;
  if (room >= WORDS_MIN_PX) clipped(context, one.text, from, lane.top, room, colours.text);
}

function clipped(
  context: CanvasRenderingContext2D, text: string, left: number, top: number, room: number, colour: string,
): void {
  context.save();
  context.beginPath();
  context.rect(left, top, room - 3, WORDS_PX);
  context.clip();
  context.fillStyle = colour;
  // A canvas measures the whole of what it is given: a word of 10,000 letters is cut before.
  context.fillText(text.slice(0, 300), left + 5, top + WORDS_PX / 2 + 1);
  context.restore();
}

/** Where the assistant was stopped, and what was not heard. */
function cut(context: CanvasRenderingContext2D, left: number, room: number, unsaid: string, colours: Colours): void {
  context.fillStyle = colours.bad;
  context.fillRect(Math.round(left) - 1, ASSISTANT.top, 2, ASSISTANT.height);
  if (room < WORDS_MIN_PX) return;
  context.save();
  context.beginPath();
  context.rect(left + 3, ASSISTANT.top + ASSISTANT.height - WORDS_PX, Math.min(260, room - 5), WORDS_PX);
  context.clip();
  context.fillStyle = colours.bad;
  context.fillText(`✂ ${unsaid.slice(0, 80)}`, left + 4, ASSISTANT.top + ASSISTANT.height - WORDS_PX / 2);
  context.restore();
}

function wave(
  context: CanvasRenderingContext2D,
  lane: { top: number; height: number },
  found: Float32Array,
  began_ms: number,
  picture: Picture,
  colour: string,
): void {
  const { shown, width_px } = picture;
  const ms_a_pixel = (shown.to_ms - shown.from_ms) / width_px;
  const middle = lane.top + WORDS_PX + (lane.height - WORDS_PX) / 2;
  const half = (lane.height - WORDS_PX) / 2 - 2;
  context.fillStyle = colour;
  for (let px = 0; px < width_px; px += 1) {
    const from = shown.from_ms + px * ms_a_pixel - began_ms;
    if (from + ms_a_pixel < 0) continue;
    // The square root lets quiet speech be seen beside loud.
    const height = Math.sqrt(loudest(found, from, from + ms_a_pixel)) * half;
    if (height > 0.4) context.fillRect(px, middle - height, 1, height * 2);
  }
}

const SIGNS: Record<Mark['kind'], string> = { interrupted: '✂', ducked: '▾', keyed: '⌨', handover: '☎', fault: '!' };
/** Whose words come first where there is no room for all. */
const RANK: readonly Mark['kind'][] = ['fault', 'interrupted', 'handover', 'keyed', 'ducked'];

function marks(
  context: CanvasRenderingContext2D, found: readonly Mark[], x: (ms: number) => number, colours: Colours, width_px: number,
): void {
  const taken: [number, number][] = [];
  for (const mark of [...found].sort((a, b) => RANK.indexOf(a.kind) - RANK.indexOf(b.kind))) {
    const bad = mark.kind === 'fault' || mark.kind === 'interrupted';
    context.fillStyle = bad ? colours.bad : colours.muted;
    context.fillRect(Math.round(x(mark.at_ms)), EVENTS.top, 1, 20);
    const label = `${SIGNS[mark.kind]} ${mark.text}`;
    const width = context.measureText(label).width;
    const left = Math.max(0, Math.min(x(mark.at_ms), width_px - width));
    if (taken.some(([from, to]) => left < to && left + width > from)) continue;
    context.fillText(label, left, EVENTS.top + 30);
    taken.push([left - 8, left + width + 8]);
  }
}
