// The list's own logic: joining what was loaded with what came live, and filtering.
import type { CallSummary } from './api';

export interface Filter {
  outcome: string;
  leg: string;
  text: string;
}

export const NO_FILTER: Filter = { outcome: '', leg: '', text: '' };

/** Joined by id, newest first: ids are ULIDs and sort by time. An ended call never turns live again. */
export function merged(calls: readonly CallSummary[], more: readonly CallSummary[]): CallSummary[] {
  const found = new Map(calls.map((call) => [call.id, call]));
  for (const call of more) {
    if (call.ended || !found.get(call.id)?.ended) found.set(call.id, call);
  }
  return [...found.values()].sort((a, b) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
}

export function matching(calls: readonly CallSummary[], filter: Filter): CallSummary[] {
  const text = filter.text.trim().toLowerCase();
  return calls.filter(
    (call) =>
      (filter.outcome === '' || (filter.outcome === 'live' ? !call.ended : call.outcome === filter.outcome)) &&
      (filter.leg === '' || call.leg === filter.leg) &&
      (text === '' || call.from.toLowerCase().includes(text) || call.to.toLowerCase().includes(text)),
  );
}
