// The sound of a call: the microphone, and the RTCPeerConnection with its one audio stream each way.
import { withOpus } from './sdp';

/** Asks for the microphone; throws what getUserMedia throws. */
export async function microphone(): Promise<MediaStream> {
  return navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
  });
}

export interface MediaEvents {
  candidate(candidate: RTCIceCandidateInit | null): void;
  remote(stream: MediaStream): void;
  connection(state: RTCIceConnectionState): void;
  /** There is no address to be reached at: no network, or a relay alone is allowed and none answers. */
  nowhere(): void;
}

export interface MediaStats {
  buffer_ms: number;
  rtt_ms: number;
}

/** A key's tone and the pause after it, ms: what any receiver of RFC 4733 takes for one key. */
const TONE_MS = 120;
const TONE_GAP_MS = 70;

export class Media {
  private readonly peer: RTCPeerConnection;
  private readonly sender: RTCRtpSender;
  /** The server's candidates that came before its answer. */
  private early: (RTCIceCandidateInit | null)[] = [];
  private buffered = { delayS: 0, emitted: 0 };

  constructor(iceServers: RTCIceServer[], stream: MediaStream, events: MediaEvents) {
    const peer = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    this.peer = peer;
    this.sender = peer.addTrack(stream.getAudioTracks()[0]!, stream);
    let found = 0;
    peer.onicecandidate = (event) => {
      if (event.candidate?.candidate) found += 1;
      events.candidate(event.candidate?.toJSON() ?? null);
    };
    peer.onicegatheringstatechange = () => {
      if (peer.iceGatheringState === 'complete' && found === 0) events.nowhere();
    };
    peer.oniceconnectionstatechange = () => events.connection(peer.iceConnectionState);
    peer.ontrack = (event) => events.remote(event.streams[0] ?? new MediaStream([event.track]));
  }

  get connection(): RTCIceConnectionState {
    return this.peer.iceConnectionState;
  }

  /** Makes an offer; `restart` finds the way through the network anew. */
  async offer(restart: boolean): Promise<string> {
    if (restart) this.peer.restartIce();
    const offer = await this.peer.createOffer();
    const sdp = withOpus(offer.sdp ?? '');
    await this.peer.setLocalDescription({ type: 'offer', sdp });
    // Candidates that come before this answer belong to it, and not to the description before.
    this.early = [];
    return sdp;
  }

  async answer(sdp: string): Promise<void> {
    if (this.peer.signalingState !== 'have-local-offer') return;
    await this.peer.setRemoteDescription({ type: 'answer', sdp });
    for (const candidate of this.early.splice(0)) await this.add(candidate);
  }

  async remoteCandidate(candidate: RTCIceCandidateInit | null): Promise<void> {
    if (this.peer.signalingState === 'have-local-offer') this.early.push(candidate);
    else await this.add(candidate);
  }

  /** Plays a key into the sound; false where the far end has agreed on no telephone events. */
  tone(digit: string): boolean {
    const tones = this.sender.dtmf;
    if (!tones?.canInsertDTMF) return false;
    tones.insertDTMF(tones.toneBuffer + digit, TONE_MS, TONE_GAP_MS);
    return true;
  }

  async replaceMicrophone(track: MediaStreamTrack): Promise<void> {
    await this.sender.replaceTrack(track);
  }

  /** Delay of the jitter buffer since the last call, and the round trip; null while nothing is known. */
  async stats(): Promise<MediaStats | null> {
    const report = await this.peer.getStats();
    let buffer_ms: number | null = null;
    let rtt_ms = 0;
    report.forEach((one) => {
      if (one.type === 'inbound-rtp' && one.kind === 'audio') {
        const delayS = one.jitterBufferDelay ?? 0;
        const emitted = one.jitterBufferEmittedCount ?? 0;
        const samples = emitted - this.buffered.emitted;
        if (samples > 0) buffer_ms = Math.round(((delayS - this.buffered.delayS) / samples) * 1000);
        this.buffered = { delayS, emitted };
      }
      if (one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded') {
        rtt_ms = Math.round((one.currentRoundTripTime ?? 0) * 1000);
      }
    });
    return buffer_ms === null ? null : { buffer_ms, rtt_ms };
  }

  close(): void {
    this.peer.onicecandidate = null;
    this.peer.onicegatheringstatechange = null;
    this.peer.oniceconnectionstatechange = null;
    this.peer.ontrack = null;
    this.peer.close();
  }

  private async add(candidate: RTCIceCandidateInit | null): Promise<void> {
    // A candidate that cannot be read (another family, a name that is not resolved) costs that way alone.
    await this.peer.addIceCandidate(candidate ?? undefined).catch(() => undefined);
  }
}
