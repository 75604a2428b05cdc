// The context packet (schemas/context-packet.v1.json) as it is shown; whatever is not of its form is left out.

export interface Packet {
  id: string;
  issue: string;
  intent: string | null;
  confidence: number | null;
  trigger: string;
  reason: string;
  slots: { name: string; value: string; verified: string; confidence: number | null }[];
  actions: { tool: string; arguments: unknown; succeeded: boolean; result: unknown }[];
  resolved: string[];
  unresolved: string[];
  transcript: { speaker: string; at_ms: number; text: string }[];
}

type Fields = Record<string, unknown>;
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const list = (value: unknown): Fields[] =>
  Array.isArray(value) ? value.filter((one): one is Fields => typeof one === 'object' && one !== null) : [];
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : []);

export function readPacket(raw: unknown): Packet | null {
  if (typeof raw !== 'object' || raw === null) return null;
  const f = raw as Fields;
  return {
    id: text(f.packet_id),
    issue: text(f.stated_issue),
    intent: typeof f.intent === 'string' ? f.intent : null,
    confidence: number(f.confidence),
    trigger: text(f.trigger),
    reason: text(f.reason),
    slots: list(f.slots).map((one) => ({
      name: text(one.name), value: text(one.value), verified: text(one.verified), confidence: number(one.confidence),
    })),
    actions: list(f.actions).map((one) => ({
      tool: text(one.tool), arguments: one.arguments, succeeded: one.succeeded === true, result: one.result,
    })),
    resolved: texts(f.resolved),
    unresolved: texts(f.unresolved),
    transcript: list(f.transcript).map((one) => ({
      speaker: text(one.speaker), at_ms: number(one.at_ms) ?? 0, text: text(one.text),
    })),
  };
}
