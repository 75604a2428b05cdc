// How loud both sides are, for the meters.

export interface Levels {
  caller: number;
  assistant: number;
}

/** What counts as no sound and as full, dBFS: speech with gain control lies between. */
const FLOOR_DB = -60;
const FULL_DB = -12;

export class LevelMeters {
  private readonly context = new AudioContext();
  private readonly meters = new Map<keyof Levels, { source: MediaStreamAudioSourceNode; analyser: AnalyserNode }>();
  private readonly samples = new Float32Array(512);

  constructor() {
    void this.context.resume().catch(() => undefined);
  }

  listen(side: keyof Levels, stream: MediaStream): void {
    this.meters.get(side)?.source.disconnect();
    const source = this.context.createMediaStreamSource(stream);
    const analyser = this.context.createAnalyser();
    analyser.fftSize = this.samples.length;
    source.connect(analyser);
    this.meters.set(side, { source, analyser });
  }

  read(): Levels {
    return { caller: this.level('caller'), assistant: this.level('assistant') };
  }

  wake(): void {
    void this.context.resume().catch(() => undefined);
  }

  close(): void {
    void this.context.close().catch(() => undefined);
  }

  private level(side: keyof Levels): number {
    const meter = this.meters.get(side);
    if (meter === undefined) return 0;
    meter.analyser.getFloatTimeDomainData(this.samples);
    return loudness(this.samples);
  }
}

/** 0 to 1, linear in decibels. */
export function loudness(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (FULL_DB - FLOOR_DB)));
}
