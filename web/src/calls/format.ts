// Times and values as the pages show them.

/** 83456 → "1:23.456": a place in a call. */
export function offset(ms: number): string {
  const sign = ms < 0 ? '−' : '';
  const whole = Math.abs(Math.round(ms));
  const minutes = Math.floor(whole / 60_000);
  const seconds = String(Math.floor(whole / 1000) % 60).padStart(2, '0');
  return `${sign}${minutes}:${seconds}.${String(whole % 1000).padStart(3, '0')}`;
}

/** 83456 → "1:23": how long. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const tail = String(s).padStart(2, '0');
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${tail}` : `${m}:${tail}`;
}

/** 1234 → "1,234 ms". */
export const millis = (ms: number): string => `${Math.round(ms).toLocaleString('en')} ms`;

/** Wall time of the day, with milliseconds, in the reader's own zone. */
export function wallTime(rfc3339: string): string {
  const date = new Date(rfc3339);
  if (Number.isNaN(date.getTime())) return rfc3339;
  const two = (n: number) => String(n).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** Day and time, in the reader's own zone. */
export function moment(rfc3339: string | null | undefined): string {
  if (!rfc3339) return '–';
  const date = new Date(rfc3339);
  if (Number.isNaN(date.getTime())) return rfc3339;
  const two = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** "handed_over" → "handed over". */
export const words = (name: string): string => name.replaceAll('_', ' ');

export const percent = (part: unknown): string => (typeof part === 'number' ? `${Math.round(part * 100)} %` : '–');

/** One line of JSON, cut where it is long. */
export function compact(value: unknown, max = 200): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.length > max ? `${text.slice(0, max)}…` : text;
}

/** The address where it is one to load, else null: a link never runs a script. */
export function webAddress(link: string | null | undefined, base: string): string | null {
  if (!link) return null;
  try {
    const url = new URL(link, base);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}
