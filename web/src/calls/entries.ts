// The entries of a timeline: which kind each is of, and how it reads in one line.
import type { TimelineEntry } from './api';
import { compact, millis, percent, words } from './format';

export interface Entry {
  seq: number;
  at: string;
  at_ms: number;
  what: string;
  fields: Record<string, unknown>;
}

export type Kind = 'talk' | 'tools' | 'signalling' | 'media' | 'handover' | 'faults';

export const KINDS: readonly { kind: Kind; title: string }[] = [
  { kind: 'talk', title: 'Talk' },
  { kind: 'tools', title: 'Tools' },
  { kind: 'signalling', title: 'Signalling' },
  { kind: 'media', title: 'Media' },
  { kind: 'handover', title: 'Hand-over' },
  { kind: 'faults', title: 'Faults' },
];

export function readEntry(raw: TimelineEntry): Entry {
  const { seq, at, ...fields } = raw as TimelineEntry & Record<string, unknown>;
  return {
    seq,
    at,
    at_ms: typeof fields.at_ms === 'number' ? fields.at_ms : 0,
    what: typeof fields.what === 'string' ? fields.what : 'unknown',
    fields,
  };
}

type Words = (f: Record<string, unknown>) => string;
const s = (value: unknown): string => (typeof value === 'string' ? value : value === undefined ? '' : compact(value));
const n = (value: unknown): number => (typeof value === 'number' ? value : 0);
const quoted = (value: unknown): string => `“${s(value)}”`;

const verdict = (value: unknown): string => {
  const status = (value as { status?: unknown } | null)?.status;
  return status === undefined ? words(s(value)) : `status ${s(status)}`;
};

/** Each entry: its kind, what it is called, and the rest of it in one line. */
const FORMS: Record<string, { kind: Kind; title: string; text: Words }> = {
  rang: { kind: 'signalling', title: 'Rang', text: (f) => `${s(f.from)} → ${s(f.to)}, ${s(f.leg)}, flow ${s(f.flow)}` },
  answered: { kind: 'signalling', title: 'Answered', text: () => 'the caller’s media is up' },
  leg_joined: { kind: 'signalling', title: 'Leg joined', text: (f) => `${s(f.role)}, ${s(f.address)}` },
  leg_parted: { kind: 'signalling', title: 'Leg parted', text: (f) => `${s(f.role)}: ${s(f.cause)}` },
  held: { kind: 'signalling', title: 'Held', text: (f) => s(f.role) },
  resumed: { kind: 'signalling', title: 'Resumed', text: (f) => s(f.role) },
  sip: { kind: 'signalling', title: 'SIP', text: (f) => `${f.direction === 'sent' ? '→' : '←'} ${s(f.role)}: ${s(f.summary)}` },
  one_way: { kind: 'faults', title: 'One way', text: (f) => `${s(f.role)}: ${words(s(f.cause))} for ${millis(n(f.for_ms))}` },
  prompt_began: { kind: 'talk', title: 'Assistant began', text: (f) => quoted(f.text) },
  prompt_ended: {
    kind: 'talk',
    title: 'Assistant ended',
    text: (f) => (s(f.unsaid) === '' ? 'whole' : `heard ${quoted(f.heard)}, not heard ${quoted(f.unsaid)}`),
  },
  caller_began: { kind: 'talk', title: 'Caller began', text: (f) => (f.over_assistant ? 'over the assistant' : '') },
  caller_spoke: {
    kind: 'talk',
    title: 'Caller spoke',
    text: (f) => `${quoted(f.text)}, ${percent(f.confidence)}${f.rejected ? ', rejected' : ''}`,
  },
  ducked: { kind: 'talk', title: 'Voice lowered', text: (f) => `prompt ${s(f.prompt)}` },
  interrupted: { kind: 'talk', title: 'Interrupted', text: (f) => `prompt ${s(f.prompt)}` },
  spoke_aside: { kind: 'talk', title: 'Spoke aside', text: (f) => [s(f.kind), s(f.text) && quoted(f.text)].filter(Boolean).join(': ') },
  went_on: { kind: 'talk', title: 'Went on', text: (f) => `prompt ${s(f.prompt)}` },
  silence: { kind: 'faults', title: 'Silence', text: (f) => `${millis(n(f.for_ms))}, owed by the ${s(f.owed_by)}` },
  keyed: { kind: 'talk', title: 'Keyed', text: (f) => `${s(f.digit)} by the ${s(f.role)}, ${millis(n(f.duration_ms))}` },
  latency: {
    kind: 'talk',
    title: 'Latency',
    text: (f) => `${millis(n(f.first_sound_ms) - n(f.speech_ended_ms))} to the first sound`,
  },
  foreseen: { kind: 'talk', title: 'Foreseen', text: (f) => quoted(f.text) },
  understood: { kind: 'talk', title: 'Understood', text: (f) => `${words(s(f.intent))}, ${percent(f.confidence)}` },
  slot_filled: { kind: 'talk', title: 'Slot filled', text: (f) => `${s(f.slot)} = ${s(f.value)}, ${s(f.verified)}` },
  repaired: { kind: 'talk', title: 'Asked again', text: (f) => `${words(s(f.cause))}, ${s(f.count)} in a row` },
  tool_invoked: { kind: 'tools', title: 'Tool called', text: (f) => `${s(f.tool)} ${compact(f.arguments)}` },
  tool_answered: {
    kind: 'tools',
    title: 'Tool answered',
    text: (f) => `${s(f.tool)}: ${verdict(f.verdict)} after ${millis(n(f.took_ms))}, ${compact(f.result)}`,
  },
  tool_denied: { kind: 'tools', title: 'Tool denied', text: (f) => `${s(f.tool)}: ${s(f.why)}` },
  message_taken: { kind: 'talk', title: 'Message taken', text: (f) => quoted(f.text) },
  escalation_triggered: {
    kind: 'handover',
    title: 'Human needed',
    text: (f) => `${words(s(f.trigger))}: ${s(f.reason)}, queue ${s(f.queue)}`,
  },
  enqueued: { kind: 'handover', title: 'Waits in queue', text: (f) => `${s(f.queue)}, packet ${s(f.packet)}` },
  agent_offered: { kind: 'handover', title: 'Agent rung', text: (f) => s(f.agent) },
  agent_answered: { kind: 'handover', title: 'Agent picked up', text: (f) => s(f.agent) },
  agent_accepted: { kind: 'handover', title: 'Agent accepted', text: (f) => `${s(f.agent)}, by ${s(f.acknowledged)}` },
  agent_refused: { kind: 'handover', title: 'Agent refused', text: (f) => `${s(f.agent)}: ${s(f.why)}` },
  packet_fetched: { kind: 'handover', title: 'Packet fetched', text: () => '' },
  bridged: { kind: 'handover', title: 'Bridged', text: (f) => `caller and ${s(f.agent)} hear each other` },
  nobody_came: { kind: 'handover', title: 'Nobody came', text: (f) => `queue ${s(f.queue)}` },
  recording_began: { kind: 'media', title: 'Recording began', text: () => '' },
  recording_ended: {
    kind: 'media',
    title: 'Recording ended',
    text: (f) => `${millis(n(f.length_ms))}${f.complete === false ? ', with gaps' : ''}`,
  },
  media: {
    kind: 'media',
    title: 'Media',
    text: (f) =>
      `${s(f.role)}: received ${s(f.received)}, lost ${s(f.lost)}, late ${s(f.late)}, concealed ${millis(n(f.concealed_ms))}` +
      (f.jitter_ms === undefined ? '' : `, jitter ${s(f.jitter_ms)} ms`) +
      (f.rtt_ms === undefined ? '' : `, round trip ${s(f.rtt_ms)} ms`),
  },
  ticks_missed: { kind: 'faults', title: 'Ticks missed', text: (f) => `${s(f.count)}, longest ${millis(n(f.longest_ms))}` },
  engine_failed: { kind: 'faults', title: 'Engine failed', text: (f) => `${words(s(f.role))}: ${s(f.why)}` },
  stalled: { kind: 'faults', title: 'Stood still', text: (f) => millis(n(f.for_ms)) },
  failed_over: { kind: 'faults', title: 'Failed over', text: (f) => `${words(s(f.role))} ${s(f.engine)}: ${s(f.why)}` },
  panicked: { kind: 'faults', title: 'Panicked', text: () => 'caught; the call was handed on' },
  ended: { kind: 'signalling', title: 'Ended', text: (f) => `${words(s(f.outcome))}: ${s(f.cause)}` },
};

export const title = (entry: Entry): string => FORMS[entry.what]?.title ?? words(entry.what);

/** The entry in one line; one that a newer service wrote is shown as it is. */
export function summary(entry: Entry): string {
  const { what: _what, at_ms: _at, v: _v, ...rest } = entry.fields;
  return FORMS[entry.what]?.text(entry.fields) ?? compact(rest);
}

/** What went wrong is of the faults as well as of its own kind. */
export function kinds(entry: Entry): readonly Kind[] {
  const kind = FORMS[entry.what]?.kind ?? 'signalling';
  const wrong =
    (entry.what === 'tool_answered' && entry.fields.verdict !== 'done') ||
    ['tool_denied', 'agent_refused', 'nobody_came', 'repaired'].includes(entry.what) ||
    (entry.what === 'recording_ended' && entry.fields.complete === false);
  return wrong && kind !== 'faults' ? [kind, 'faults'] : [kind];
}

export const verdictWords = verdict;
