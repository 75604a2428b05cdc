// The recording: decoded for the waveform, played by an <audio> element of the same bytes.
import { recording } from './api';
import type { Waveform } from './drawing';
import { peaks } from './peaks';

export interface Sound {
  waveform: Waveform;
  player: HTMLAudioElement;
  length_ms: number;
  complete: boolean;
  release(): void;
}

/** Recordings are made at this rate; decoding at it keeps every sample as it is. */
const RATE_HZ = 8_000;

export async function sound(id: string): Promise<Sound> {
  const { wav, complete } = await recording(id);
  const decoded = await new OfflineAudioContext(2, 1, RATE_HZ).decodeAudioData(await wav.arrayBuffer());
  const channel = (index: number) =>
    peaks(decoded.getChannelData(Math.min(index, decoded.numberOfChannels - 1)), decoded.sampleRate);
  const url = URL.createObjectURL(wav);
  const player = new Audio(url);
  return {
    waveform: { caller: channel(0), assistant: channel(1) },
    player,
    length_ms: decoded.duration * 1000,
    complete,
    release() {
      player.pause();
      URL.revokeObjectURL(url);
    },
  };
}
