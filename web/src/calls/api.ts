// Reads the service. The operator's token, where one is needed, stays in this tab.
import type { components } from '../api';

export type CallSummary = components['schemas']['CallSummary'];
export type CallDetail = components['schemas']['CallDetail'];
export type CallsPage = components['schemas']['CallsPage'];
export type TimelineEntry = components['schemas']['TimelineEntry'];
export type TimelinePage = components['schemas']['TimelinePage'];
type ErrorDetail = components['schemas']['ErrorDetail'];

const TOKEN_KEY = 'cordboard-token';
const TIMEOUT_MS = 20_000;
const ENTRIES_A_PAGE = 5_000;

/** An answer that is a refusal, or none at all. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly detail: ErrorDetail,
  ) {
    super(detail.message);
  }
}

export const token = (): string | null => sessionStorage.getItem(TOKEN_KEY);
export const keepToken = (value: string): void => sessionStorage.setItem(TOKEN_KEY, value);

async function answer(path: string): Promise<Response> {
  const bearer = token();
  const headers: HeadersInit = bearer === null ? {} : { Authorization: `Bearer ${bearer}` };
  let response: Response;
  try {
    response = await fetch(path, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new Refused(0, {
      code: 'away',
      message: 'The service does not answer.',
      remedy: 'See whether it runs and whether you are connected, then load the page anew.',
    });
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as { error?: ErrorDetail } | null;
  throw new Refused(response.status, body?.error ?? {
    code: String(response.status),
    message: `The service answered with status ${response.status}.`,
    remedy: 'See its log.',
  });
}

const json = async <T>(path: string): Promise<T> => (await answer(path)).json() as Promise<T>;

export function calls(before: string | null, limit = 50): Promise<CallsPage> {
  const query = new URLSearchParams({ limit: String(limit), ...(before === null ? {} : { before }) });
  return json(`/v1/calls?${query}`);
}

const one = (id: string) => `/v1/calls/${encodeURIComponent(id)}`;
export const call = (id: string): Promise<CallDetail> => json(one(id));
export const context = (id: string): Promise<unknown> => json(`${one(id)}/context`);

/** The recording's bytes, and whether it is whole. */
export async function recording(id: string): Promise<{ wav: Blob; complete: boolean }> {
  const response = await answer(`${one(id)}/recording`);
  return { wav: await response.blob(), complete: response.headers.get('X-Recording-Complete') !== 'false' };
}

/** All entries so far, page by page. */
export async function timeline(id: string): Promise<TimelineEntry[]> {
  const entries: TimelineEntry[] = [];
  for (;;) {
    const after = entries.at(-1)?.seq;
    const query = new URLSearchParams({ limit: String(ENTRIES_A_PAGE), ...(after === undefined ? {} : { after: String(after) }) });
    const page = await json<TimelinePage>(`${one(id)}/timeline?${query}`);
    entries.push(...page.entries);
    if (page.entries.length < ENTRIES_A_PAGE) return entries;
  }
}
