// The states of a call at the caller's side, and the table of what leads from which to which.

export type State =
  | 'idle'
  | 'asking'
  | 'connecting'
  | 'listening'
  | 'thinking'
  | 'speaking'
  | 'hold'
  | 'waiting'
  | 'agent'
  | 'reconnecting'
  | 'ended'
  | 'failed';

export type CallEvent =
  | 'called'
  | 'microphone'
  | 'listening'
  | 'thinking'
  | 'speaking'
  | 'hold'
  | 'waiting'
  | 'agent'
  | 'lost'
  | 'restored'
  | 'ended'
  | 'trouble';

/** Where the call is, and what it goes back to once the connection is restored. */
export interface Place {
  state: State;
  before: State;
}

const RESTING: readonly State[] = ['idle', 'ended', 'failed'];
const TALKING: readonly State[] = ['listening', 'thinking', 'speaking', 'hold', 'waiting', 'agent'];
const UP: readonly State[] = ['connecting', ...TALKING];
const UNDER_WAY: readonly State[] = ['asking', ...UP, 'reconnecting'];

/** Each event: the states that it is heard in, and where it leads; "before" is the state before the loss. */
export const TRANSITIONS: Record<CallEvent, { from: readonly State[]; to: State | 'before' }> = {
  called: { from: RESTING, to: 'asking' },
  microphone: { from: ['asking'], to: 'connecting' },
  listening: { from: UP, to: 'listening' },
  thinking: { from: UP, to: 'thinking' },
  speaking: { from: UP, to: 'speaking' },
  hold: { from: UP, to: 'hold' },
  waiting: { from: UP, to: 'waiting' },
  agent: { from: UP, to: 'agent' },
  lost: { from: UP, to: 'reconnecting' },
  restored: { from: ['reconnecting'], to: 'before' },
  ended: { from: UNDER_WAY, to: 'ended' },
  trouble: { from: [...RESTING, ...UNDER_WAY], to: 'failed' },
};

export const START: Place = { state: 'idle', before: 'idle' };

/** The place after the event; the same one where the event means nothing there. */
export function after(place: Place, event: CallEvent): Place {
  // What the server says while the media is away is where the call goes back to.
  if (place.state === 'reconnecting' && (TALKING as readonly string[]).includes(event)) {
    return { ...place, before: event as State };
  }
  const { from, to } = TRANSITIONS[event];
  if (!from.includes(place.state)) return place;
  const state = to === 'before' ? place.before : to;
  return { state, before: state === 'reconnecting' ? place.state : state };
}

export const underWay = (state: State): boolean => UNDER_WAY.includes(state);
export const talking = (state: State): boolean => TALKING.includes(state);

const WORDS: Record<State, string> = {
  idle: 'Ready',
  asking: 'Asking for your microphone',
  connecting: 'Connecting',
  listening: 'Listening',
  thinking: 'Thinking',
  speaking: 'Speaking',
  hold: 'On hold',
  waiting: 'Waiting for a colleague',
  agent: 'With a colleague',
  reconnecting: 'Reconnecting',
  ended: 'Call ended',
  failed: 'No call',
};

export function stateWords(state: State, agent: string | null): string {
  return state === 'agent' && agent ? `With ${agent}` : WORDS[state];
}

const OUTCOMES: Record<string, string> = {
  resolved: 'Thank you for calling.',
  handed_over: 'You spoke with a colleague.',
  abandoned: 'You ended the call.',
  no_input: 'Nothing was heard from you, so the call was ended. Check that your microphone is on.',
  message_taken: 'Your message was taken. Somebody will get back to you.',
  failed: 'Something went wrong on our side. Please call again.',
};

/** How the call ended, for the caller. */
export function endWords(outcome: string): string {
  return OUTCOMES[outcome] ?? 'The call is over.';
}
