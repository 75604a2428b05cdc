// The live feed: calls that begin and end, or the entries of one call, by a WebSocket that comes back.
import { token, type CallSummary, type TimelineEntry } from './api';

export interface LiveEvents {
  call?(call: CallSummary): void;
  entry?(entry: TimelineEntry): void;
  /** Messages were left out, or the feed was away: load anew. */
  stale(): void;
  /** Whether the feed is up. */
  up(up: boolean): void;
}

const BACKOFF_MS = [500, 1_000, 2_000, 4_000, 8_000];

/** Watches until the returned function is called. `after` gives the last entry known, asked at each start. */
export function watch(call: string | null, after: () => number | null, events: LiveEvents): () => void {
  let socket: WebSocket | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempts = 0;
  let stopped = false;

  function connect(): void {
    const url = new URL('/v1/live', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    socket = new WebSocket(url);
    socket.onopen = () => {
      socket?.send(JSON.stringify({ type: 'watch', token: token(), call, after: after() }));
      if (attempts > 0) events.stale();
      attempts = 0;
      events.up(true);
    };
    socket.onmessage = (message) => read(String(message.data));
    socket.onclose = (close) => {
      events.up(false);
      // 4000 is a refusal: it would be refused again.
      if (stopped || close.code === 4000) return;
      timer = setTimeout(connect, BACKOFF_MS[Math.min(attempts, BACKOFF_MS.length - 1)]);
      attempts += 1;
    };
  }

  function read(data: string): void {
    let message: { type?: string; call?: CallSummary; entry?: TimelineEntry };
    try {
      message = JSON.parse(data) as typeof message;
    } catch {
      return;
    }
    if (message.type === 'call' && message.call) events.call?.(message.call);
    else if (message.type === 'entry' && message.entry) events.entry?.(message.entry);
    else if (message.type === 'lagging') events.stale();
  }

  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    socket?.close();
  };
}
