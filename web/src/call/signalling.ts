// The WebSocket of a call. It comes back by itself after a break; what is said on it is the session's matter.
import { parseServerMessage, type ClientMessage, type ServerMessage } from './protocol';

export interface SignallingEvents {
  /** The socket is open: the first message is due. */
  opened(): void;
  message(message: ServerMessage): void;
  /** The socket broke; the next attempt is under way. */
  broken(): void;
}

/** Waits before the attempts to come back; the last one repeats. */
export const BACKOFF_MS: readonly number[] = [500, 1_000, 2_000];
/** A connection attempt that hangs this long (packets dropped, not refused) is given up. */
const OPENING_MAX_MS = 5_000;

export class Signalling {
  private socket: WebSocket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempts = 0;
  private closed = false;
  /** The first message went out; until then the server would take any other for it. */
  private begun = false;
  private waiting: ClientMessage[] = [];

  constructor(
    private readonly url: string,
    private readonly events: SignallingEvents,
  ) {}

  connect(): void {
    if (this.closed) return;
    this.begun = false;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.url);
    } catch {
      this.lost(null);
      return;
    }
    this.socket = socket;
    this.timer = setTimeout(() => this.drop(), OPENING_MAX_MS);
    socket.onopen = () => {
      clearTimeout(this.timer);
      this.events.opened();
    };
    socket.onmessage = (event) => {
      const message = parseServerMessage(event.data);
      if (message !== null && socket === this.socket) this.events.message(message);
    };
    socket.onclose = () => this.lost(socket);
  }

  /** Sends the first message of this socket, and then what waited for it; false where it broke meanwhile. */
  begin(message: ClientMessage): boolean {
    if (!this.write(message)) return false;
    this.begun = true;
    for (const one of this.waiting.splice(0)) this.write(one);
    return true;
  }

  /** Sends at once, or after the first message. What waits over a break is sent after the resume. */
  send(message: ClientMessage): void {
    if (this.closed) return;
    if (!this.begun || !this.write(message)) this.waiting.push(message);
  }

  /** Whether messages go out now. */
  get ready(): boolean {
    return this.begun && this.socket?.readyState === WebSocket.OPEN;
  }

  /** The call is well again: the next break waits as short as the first. */
  settled(): void {
    this.attempts = 0;
  }

  /** Candidates of an offer that is replaced are of no use to anybody. */
  forgetCandidates(): void {
    this.waiting = this.waiting.filter((message) => message.type !== 'candidate');
  }

  /** Gives up this socket, as if it had broken: closing one on a dead network can take minutes. */
  drop(): void {
    const socket = this.socket;
    if (socket === null) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.onopen = null;
    socket.close();
    this.lost(socket);
  }

  /** Tries at once where an attempt waits for its time: the network is back. */
  hurry(): void {
    if (this.socket !== null || this.closed) return;
    clearTimeout(this.timer);
    this.connect();
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket?.close(1000);
    this.socket = null;
  }

  private write(message: ClientMessage): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private lost(socket: WebSocket | null): void {
    if (this.closed || socket !== this.socket) return;
    clearTimeout(this.timer);
    this.socket = null;
    this.begun = false;
    const wait = BACKOFF_MS[Math.min(this.attempts, BACKOFF_MS.length - 1)]!;
    this.attempts += 1;
    this.timer = setTimeout(() => this.connect(), wait);
    this.events.broken();
  }
}
