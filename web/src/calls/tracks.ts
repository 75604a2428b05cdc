// What the timeline says about who was heard when: the caller's turns, the assistant's prompts, tools, marks.
import type { Entry } from './entries';

export interface Span {
  seq: number;
  from_ms: number;
  to_ms: number;
  text: string;
}

export interface Prompt extends Span {
  prompt: number;
  heard: string;
  unsaid: string;
  /** It was never said to have ended: it is being played, or the call broke off. */
  open: boolean;
}

export interface Turn extends Span {
  confidence: number | null;
  kind: 'turn' | 'rejected' | 'aside';
}

export interface Tool extends Span {
  invocation: number;
  tool: string;
  arguments: unknown;
  result: unknown;
  verdict: unknown;
  took_ms: number | null;
}

export interface Mark {
  seq: number;
  at_ms: number;
  kind: 'interrupted' | 'ducked' | 'keyed' | 'handover' | 'fault';
  text: string;
}

export interface Tracks {
  turns: Turn[];
  prompts: Prompt[];
  tools: Tool[];
  marks: Mark[];
  /** When the recording's first sample is, ms since the ring. */
  recording_ms: number | null;
  length_ms: number;
}

const number = (value: unknown): number | null => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const HANDOVER: Record<string, string> = {
  escalation_triggered: 'human needed',
  enqueued: 'in queue',
  agent_offered: 'agent rung',
  bridged: 'bridged',
  nobody_came: 'nobody came',
};
const FAULTS = ['engine_failed', 'failed_over', 'stalled', 'panicked', 'one_way', 'silence'];

export function tracks(entries: readonly Entry[]): Tracks {
  const found: Tracks = { turns: [], prompts: [], tools: [], marks: [], recording_ms: null, length_ms: 0 };
  const prompts = new Map<number, Prompt>();
  const tools = new Map<number, Tool>();
  for (const entry of entries) {
    found.length_ms = Math.max(found.length_ms, entry.at_ms);
    spoken(entry, found, prompts);
    invoked(entry, found, tools);
    marked(entry, found);
    if (entry.what === 'recording_began') found.recording_ms ??= entry.at_ms;
  }
  // What did not end goes on to the end of what is known.
  for (const prompt of found.prompts) if (prompt.open) prompt.to_ms = Math.max(prompt.from_ms, found.length_ms);
  for (const tool of found.tools) if (tool.took_ms === null) tool.to_ms = Math.max(tool.from_ms, found.length_ms);
  return found;
}

function spoken(entry: Entry, found: Tracks, prompts: Map<number, Prompt>): void {
  const f = entry.fields;
  const { seq, at_ms } = entry;
  if (entry.what === 'caller_spoke' || entry.what === 'spoke_aside') {
    const kind = entry.what === 'spoke_aside' ? 'aside' : f.rejected === true ? 'rejected' : 'turn';
    const from_ms = number(f.began_ms) ?? at_ms;
    const to_ms = Math.max(from_ms, number(f.ended_ms) ?? at_ms);
    found.turns.push({ seq, from_ms, to_ms, text: text(f.text), confidence: number(f.confidence), kind });
  } else if (entry.what === 'prompt_began') {
    const prompt: Prompt = {
      seq, prompt: number(f.prompt) ?? -1, from_ms: at_ms, to_ms: at_ms, text: text(f.text), heard: '', unsaid: '', open: true,
    };
    prompts.set(prompt.prompt, prompt);
    found.prompts.push(prompt);
  } else if (entry.what === 'prompt_ended') {
    const prompt = prompts.get(number(f.prompt) ?? -1);
    if (prompt === undefined) return;
    Object.assign(prompt, { to_ms: at_ms, heard: text(f.heard), unsaid: text(f.unsaid), open: false });
  }
}

function invoked(entry: Entry, found: Tracks, tools: Map<number, Tool>): void {
  const f = entry.fields;
  const invocation = number(f.invocation) ?? -1;
  if (entry.what === 'tool_invoked') {
    const tool: Tool = {
      seq: entry.seq, invocation, tool: text(f.tool), from_ms: entry.at_ms, to_ms: entry.at_ms, text: text(f.tool),
      arguments: f.arguments, result: undefined, verdict: undefined, took_ms: null,
    };
    tools.set(invocation, tool);
    found.tools.push(tool);
  } else if (entry.what === 'tool_answered') {
    const tool = tools.get(invocation);
    if (tool === undefined) return;
    const took_ms = number(f.took_ms) ?? entry.at_ms - tool.from_ms;
    Object.assign(tool, { to_ms: entry.at_ms, verdict: f.verdict, result: f.result, took_ms });
  }
}

function marked(entry: Entry, found: Tracks): void {
  const mark = (kind: Mark['kind'], words: string) =>
    found.marks.push({ seq: entry.seq, at_ms: entry.at_ms, kind, text: words });
  if (entry.what === 'interrupted') mark('interrupted', 'interrupted');
  else if (entry.what === 'ducked') mark('ducked', 'voice lowered');
  else if (entry.what === 'keyed') mark('keyed', text(entry.fields.digit));
  else if (FAULTS.includes(entry.what)) mark('fault', entry.what.replaceAll('_', ' '));
  else if (HANDOVER[entry.what] !== undefined) mark('handover', HANDOVER[entry.what]!);
}

/** The last entry at or before the time; null before the first. Entries are in order of time. */
export function entryAt(entries: readonly Entry[], at_ms: number): Entry | null {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.at_ms <= at_ms) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1] ?? null;
}
