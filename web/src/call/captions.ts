// The captions: a reducer from the server's messages to lines. What the assistant says appears as it is
// heard; what was never heard of it stays apart.
import type { AssistantWords, CallerWords } from './protocol';

export interface Line {
  key: string;
  who: 'caller' | 'assistant';
  /** The words said or heard so far. */
  text: string;
  /** Words of the assistant that were cut off: not heard, and not to be. */
  unheard: string;
  /** Nothing will be added. */
  final: boolean;
}

/** Lines kept: a call of an hour has some 400; older ones leave the page, not the service's timeline. */
const LINES_MAX = 400;
/** Characters of a line: beyond it is no speech. */
const TEXT_MAX = 4_000;

const bounded = (text: string) => (text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text);

/** What of `text` comes after `heard`. Where `heard` is no prefix (spaces, punctuation), words are counted. */
export function rest(text: string, heard: string): string {
  if (text.startsWith(heard)) return text.slice(heard.length).trimStart();
  const count = heard.split(/\s+/).filter(Boolean).length;
  return text.split(/\s+/).filter(Boolean).slice(count).join(' ');
}

function assistantLine(words: AssistantWords): Line {
  return {
    key: `assistant ${words.prompt}`,
    who: 'assistant',
    text: bounded(words.heard),
    unheard: words.done ? bounded(rest(words.text, words.heard)) : '',
    final: words.done,
  };
}

function callerLine(words: CallerWords): Line {
  return { key: `caller ${words.turn}`, who: 'caller', text: bounded(words.text), unheard: '', final: words.final };
}

/** The lines after the message. A line that is final changes no more: messages may come twice after a resume. */
export function captioned(lines: readonly Line[], words: AssistantWords | CallerWords): readonly Line[] {
  const line = words.type === 'assistant' ? assistantLine(words) : callerLine(words);
  const index = lines.findIndex((other) => other.key === line.key);
  if (index < 0) {
    if (line.text === '' && line.unheard === '') return lines;
    return [...lines, line].slice(-LINES_MAX);
  }
  if (lines[index]!.final) return lines;
  // A turn that came to nothing (a cough) leaves no line.
  if (line.final && line.text === '' && line.unheard === '') return lines.filter((_, at) => at !== index);
  return lines.map((other, at) => (at === index ? line : other));
}

/** What a screen reader is told of a line, once it is final. */
export function spoken(line: Line): string {
  const who = line.who === 'caller' ? 'You' : 'Assistant';
  return `${who}: ${line.text}`;
}
