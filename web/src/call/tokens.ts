// Gets the permission to call: POST to the company's own address, or to the service.
import type { CallToken, Refusal } from './protocol';
import { refusalTrouble, type TroubleCode } from './troubles';

/** Why no call can be placed. */
export class CallRefused extends Error {
  constructor(
    readonly trouble: TroubleCode,
    readonly retryAfterS: number | null = null,
  ) {
    super(trouble);
  }
}

/** The service answers in milliseconds; a company's page may look somebody up. */
const TIMEOUT_MS = 15_000;

export async function callToken(url: string, flow: string): Promise<CallToken> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ flow }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    // The service lets every page read why it is refused, so this is one that does not answer.
    throw new CallRefused('server_away');
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const code = (body as { error?: Partial<Refusal> } | null)?.error?.code;
    throw new CallRefused(
      refusalTrouble(typeof code === 'string' ? code : null, response.status),
      retryAfter(response.headers.get('Retry-After')),
    );
  }
  const token = body as Partial<CallToken> | null;
  if (typeof token?.token !== 'string' || typeof token.url !== 'string') throw new CallRefused('malformed');
  return {
    token: token.token,
    url: token.url,
    flow: token.flow ?? flow,
    expires: token.expires ?? '',
    ice_servers: Array.isArray(token.ice_servers) ? token.ice_servers : [],
  };
}

/** Seconds of a Retry-After (RFC 9110, section 10.2.3): a number, or a date. */
export function retryAfter(header: string | null, now = Date.now()): number | null {
  if (header === null || header.trim() === '') return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return seconds;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, (date - now) / 1000);
}
