// One call: token, microphone, socket and media put together, and how each of them comes back.
import { captioned, type Line } from './captions';
import { LevelMeters, type Levels } from './levels';
import { Media, microphone } from './media';
import type { CallToken, ClientMessage, ServerMessage, ServerState } from './protocol';
import { Signalling } from './signalling';
import { START, after, talking, underWay, type CallEvent, type Place, type State } from './states';
import { CallRefused, callToken } from './tokens';
import { microphoneTrouble, refusalTrouble, type TroubleCode } from './troubles';

/** All that is shown of a call. */
export interface Snapshot {
  state: State;
  call: string | null;
  agent: string | null;
  lines: readonly Line[];
  trouble: TroubleCode | null;
  retryAfterS: number | null;
  outcome: string | null;
  /** The browser keeps the sound off until somebody presses something. */
  soundBlocked: boolean;
  microphoneLost: boolean;
  muted: boolean;
  held: boolean;
  /** performance.now() of the first sound, and of the end. */
  beganAt: number | null;
  endedAt: number | null;
}

export const NO_CALL: Snapshot = {
  state: 'idle', call: null, agent: null, lines: [], trouble: null, retryAfterS: null, outcome: null,
  soundBlocked: false, microphoneLost: false, muted: false, held: false, beganAt: null, endedAt: null,
};

/** The server keeps a call without a socket this long. */
const GIVE_UP_MS = 45_000;
/** ICE often recovers by itself within this time. */
const DISCONNECTED_MS = 3_000;
/** A way that was sought while the network was away is not found once it is back: it is sought anew. */
const RESTART_EVERY_MS = 4_000;
/** A first connection takes a second; through a relay, some. */
const CONNECTING_MAX_MS = 20_000;
/** An offer without an answer for so long: the socket is dead and does not know it. */
const ANSWER_MAX_MS = 5_000;
const STATS_EVERY_MS = 2_000;
/** Silence between two lines of one answer takes 180 ms. */
const BETWEEN_LINES_MS = 400;

export class CallSession {
  private place: Place = START;
  private shown: Snapshot = NO_CALL;
  private token: CallToken | null = null;
  private stream: MediaStream | null = null;
  private media: Media | null = null;
  private signalling: Signalling | null = null;
  private meters: LevelMeters | null = null;
  private secret: string | null = null;
  private connectedOnce = false;
  private awaiting = false;
  private restartDue = false;
  /** The microphone is looked for; and something was plugged in or out meanwhile. */
  private seeking = false;
  private seekAgain = false;
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private statsTimer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly tokenUrl: string,
    private readonly flow: string,
    private readonly audio: HTMLAudioElement,
    private readonly changed: (shown: Snapshot) => void,
  ) {}

  async start(): Promise<void> {
    this.event('called');
    if (!window.isSecureContext) return this.fail('insecure');
    if (!('RTCPeerConnection' in window) || !navigator.mediaDevices?.getUserMedia) return this.fail('no_webrtc');
    let stream: MediaStream;
    try {
      stream = await microphone();
    } catch (error) {
      return this.fail(microphoneTrouble((error as DOMException).name));
    }
    if (this.over) return stop(stream);
    this.stream = stream;
    this.watchMicrophone(stream);
    this.event('microphone');
    try {
      this.token = await callToken(this.tokenUrl, this.flow);
    } catch (error) {
      const refused = error instanceof CallRefused ? error : new CallRefused('failed');
      return this.fail(refused.trouble, refused.retryAfterS);
    }
    if (this.over) return;
    this.connect(stream, this.token);
  }

  hangUp(): void {
    if (!underWay(this.place.state)) return;
    this.signalling?.send({ type: 'bye' });
    this.show({ outcome: 'abandoned' });
    this.finish('ended');
  }

  mute(on: boolean): void {
    this.signalling?.send({ type: 'mute', on });
    this.show({ muted: on });
    this.openMicrophone();
  }

  hold(on: boolean): void {
    this.signalling?.send({ type: 'hold', on });
    this.show({ held: on });
    this.openMicrophone();
    this.audio.muted = on;
  }

  person(): void {
    this.signalling?.send({ type: 'person' });
  }

  press(digit: string): void {
    if (!talking(this.place.state)) return;
    if (!this.media?.tone(digit)) this.signalling?.send({ type: 'key', digit });
  }

  /** Plays the sound, by a gesture of the caller where the browser asks for one. */
  async play(): Promise<void> {
    this.meters?.wake();
    try {
      await this.audio.play();
      this.show({ soundBlocked: false });
    } catch (error) {
      if ((error as DOMException).name === 'NotAllowedError') this.show({ soundBlocked: true });
    }
  }

  levels(): Levels {
    return this.meters?.read() ?? { caller: 0, assistant: 0 };
  }

  private get over(): boolean {
    return !underWay(this.place.state);
  }

  private connect(stream: MediaStream, token: CallToken): void {
    try {
      this.media = new Media(token.ice_servers, stream, {
        candidate: (candidate) => this.signalling?.send({ type: 'candidate', candidate }),
        remote: (remote) => this.hear(remote),
        connection: (state) => this.connection(state),
        nowhere: () => {
          if (!this.connectedOnce) this.fail('no_media');
        },
      });
    } catch {
      return this.fail('failed');
    }
    this.meter('caller', stream);
    this.signalling = new Signalling(token.url, {
      opened: () => void this.negotiate(this.secret !== null),
      message: (message) => void this.message(message),
      broken: () => this.broken(),
    });
    this.signalling.connect();
    this.later('connecting', CONNECTING_MAX_MS, () => this.fail(this.secret === null ? 'server_away' : 'no_media'));
    addEventListener('online', this.networkChanged);
    addEventListener('pagehide', this.leave);
    navigator.mediaDevices.addEventListener('devicechange', this.devicesChanged);
    network()?.addEventListener('change', this.networkChanged);
    this.statsTimer = setInterval(() => void this.report(), STATS_EVERY_MS);
  }

  private async message(message: ServerMessage): Promise<void> {
    switch (message.type) {
      case 'answer':
        return this.answered(message.call, message.resume, message.sdp);
      case 'candidate':
        return this.media?.remoteCandidate(message.candidate);
      case 'state':
        this.show({ agent: message.agent ?? null });
        return this.stands(message.state);
      case 'caller':
      case 'assistant':
        return this.show({ lines: captioned(this.shown.lines, message) });
      case 'ended':
        this.show({ outcome: message.outcome });
        return this.finish('ended');
      case 'error':
        return this.fail(refusalTrouble(message.code, null));
    }
  }

  /** Between two lines the assistant is silent for a moment: it has not stopped speaking. */
  private stands(state: ServerState): void {
    this.cancel('thinking');
    if (state === 'thinking' && this.place.state === 'speaking') this.later('thinking', BETWEEN_LINES_MS, () => this.event(state));
    else this.event(state);
  }

  private async answered(call: string, secret: string, sdp: string): Promise<void> {
    this.secret = secret;
    this.awaiting = false;
    this.cancel('answer');
    this.show({ call });
    try {
      await this.media?.answer(sdp);
    } catch {
      return this.fail('malformed');
    }
    if (this.restartDue) void this.negotiate(true);
    this.restored();
  }

  /** Sends an offer: the first, the resume of this socket, or a restart of the media. */
  private async negotiate(restart: boolean): Promise<void> {
    const { media, signalling } = this;
    if (media === null || signalling === null || this.over) return;
    const first = !signalling.ready;
    if (!first && this.awaiting) {
      this.restartDue = true;
      return;
    }
    this.awaiting = true;
    this.restartDue = false;
    if (first) signalling.forgetCandidates();
    let sdp: string;
    try {
      sdp = await media.offer(restart);
    } catch {
      return this.fail('failed');
    }
    if (this.over) return;
    // A socket that broke while the offer was made: the next one brings an offer of its own.
    if (first) {
      if (!signalling.begin(this.beginning(sdp))) return;
    } else if (signalling.ready) {
      signalling.send({ type: 'offer', sdp });
    } else {
      return;
    }
    this.later('answer', ANSWER_MAX_MS, () => signalling.drop());
  }

  private beginning(sdp: string): ClientMessage {
    return this.secret === null
      ? { type: 'begin', token: this.token!.token, sdp }
      : { type: 'resume', call: this.shown.call!, resume: this.secret, sdp };
  }

  private connection(state: RTCIceConnectionState): void {
    if (state === 'connected' || state === 'completed') {
      this.connectedOnce = true;
      this.cancel('connecting');
      this.cancel('disconnected');
      this.cancel('restart');
      if (this.shown.beganAt === null) this.show({ beganAt: performance.now() });
      this.restored();
    } else if (state === 'disconnected') {
      this.later('disconnected', DISCONNECTED_MS, () => this.restart());
    } else if (state === 'failed') {
      if (this.connectedOnce) this.restart();
      else this.fail('no_media');
    }
  }

  private restart(): void {
    this.lost();
    // Where the socket is away as well, the resume brings the restart.
    if (this.signalling?.ready) void this.negotiate(true);
    this.later('restart', RESTART_EVERY_MS, () => this.restart());
  }

  private broken(): void {
    this.awaiting = false;
    this.cancel('answer');
    if (this.secret === null) return this.fail('server_away');
    this.lost();
  }

  private lost(): void {
    if (this.place.state === 'reconnecting') return;
    this.event('lost');
    this.later('give up', GIVE_UP_MS, () => this.fail('connection_lost'));
  }

  private restored(): void {
    const connected = ['connected', 'completed'].includes(this.media?.connection ?? 'closed');
    if (!connected || !this.signalling?.ready || this.awaiting) return;
    this.signalling.settled();
    this.cancel('give up');
    this.event('restored');
  }

  private readonly networkChanged = (): void => {
    if (this.over) return;
    this.signalling?.hurry();
    if (this.connectedOnce && this.signalling?.ready) void this.negotiate(true);
  };

  /** The page goes: the server need not wait for it. */
  private readonly leave = (): void => this.hangUp();

  private hear(remote: MediaStream): void {
    this.audio.srcObject = remote;
    this.meter('assistant', remote);
    void this.play();
  }

  private meter(side: keyof Levels, stream: MediaStream): void {
    // Meters are an ornament: no call fails for want of them.
    try {
      this.meters ??= new LevelMeters();
      this.meters.listen(side, stream);
    } catch {
      this.meters = null;
    }
  }

  private openMicrophone(): void {
    const open = !this.shown.muted && !this.shown.held;
    for (const track of this.stream?.getAudioTracks() ?? []) track.enabled = open;
  }

  /** A headset that is pulled out: the next microphone takes over, at once or when there is one. */
  private watchMicrophone(stream: MediaStream): void {
    const track = stream.getAudioTracks()[0];
    if (track !== undefined) track.onended = () => void this.seekMicrophone();
  }

  private readonly devicesChanged = (): void => {
    if (this.shown.microphoneLost || this.seeking) void this.seekMicrophone();
  };

  private async seekMicrophone(): Promise<void> {
    if (this.over) return;
    if (this.seeking) {
      this.seekAgain = true;
      return;
    }
    this.seeking = true;
    do {
      this.seekAgain = false;
      const found = await this.nextMicrophone().catch(() => false);
      if (this.over) return;
      this.show({ microphoneLost: !found });
      if (found) break;
    } while (this.seekAgain);
    this.seeking = false;
  }

  /** Whether there is a microphone, which is the call's then. */
  private async nextMicrophone(): Promise<boolean> {
    const next = await microphone();
    if (this.over) {
      stop(next);
      return false;
    }
    if (this.stream !== null) stop(this.stream);
    this.stream = next;
    this.watchMicrophone(next);
    this.openMicrophone();
    await this.media?.replaceMicrophone(next.getAudioTracks()[0]!);
    this.meter('caller', next);
    return true;
  }

  private async report(): Promise<void> {
    if (!this.connectedOnce || !this.signalling?.ready) return;
    const stats = await this.media?.stats().catch(() => null);
    if (stats && !this.over && this.signalling.ready) this.signalling.send({ type: 'stats', ...stats });
  }

  private fail(trouble: TroubleCode, retryAfterS: number | null = null): void {
    if (this.over && this.place.state !== 'idle') return;
    this.show({ trouble, retryAfterS });
    this.finish('trouble');
  }

  private finish(how: 'ended' | 'trouble'): void {
    for (const name of [...this.timers.keys()]) this.cancel(name);
    clearInterval(this.statsTimer);
    removeEventListener('online', this.networkChanged);
    removeEventListener('pagehide', this.leave);
    navigator.mediaDevices?.removeEventListener('devicechange', this.devicesChanged);
    network()?.removeEventListener('change', this.networkChanged);
    this.signalling?.close();
    this.media?.close();
    this.meters?.close();
    if (this.stream !== null) stop(this.stream);
    this.audio.srcObject = null;
    this.audio.muted = false;
    this.show({ endedAt: performance.now(), soundBlocked: false, microphoneLost: false });
    this.event(how);
  }

  private event(event: CallEvent): void {
    this.place = after(this.place, event);
    this.show({ state: this.place.state });
  }

  private show(change: Partial<Snapshot>): void {
    this.shown = { ...this.shown, ...change };
    this.changed(this.shown);
  }

  private later(name: string, ms: number, then: () => void): void {
    this.cancel(name);
    this.timers.set(name, setTimeout(() => {
      this.timers.delete(name);
      then();
    }, ms));
  }

  private cancel(name: string): void {
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }
}

function stop(stream: MediaStream): void {
  for (const track of stream.getTracks()) {
    track.onended = null;
    track.stop();
  }
}

/** Network Information: not in every browser. */
function network(): EventTarget | null {
  return (navigator as Navigator & { connection?: EventTarget }).connection ?? null;
}
