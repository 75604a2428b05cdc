// The wire forms between the element and the service: POST /v1/tokens, and the messages of the WebSocket.

export interface CallToken {
  token: string;
  flow: string;
  expires: string;
  url: string;
  ice_servers: RTCIceServer[];
}

export interface Refusal {
  code: string;
  message: string;
  remedy: string;
}

export type ServerState = 'listening' | 'thinking' | 'speaking' | 'hold' | 'waiting' | 'agent';

export type ClientMessage =
  | { type: 'begin'; token: string; sdp: string }
  | { type: 'resume'; call: string; resume: string; sdp: string }
  | { type: 'candidate'; candidate: RTCIceCandidateInit | null }
  | { type: 'offer'; sdp: string }
  | { type: 'key'; digit: string }
  | { type: 'mute'; on: boolean }
  | { type: 'hold'; on: boolean }
  | { type: 'person' }
  | { type: 'stats'; buffer_ms: number; rtt_ms: number }
  | { type: 'bye' };

export interface CallerWords {
  type: 'caller';
  turn: number;
  text: string;
  final: boolean;
}

export interface AssistantWords {
  type: 'assistant';
  prompt: number;
  text: string;
  heard: string;
  done: boolean;
}

export type ServerMessage =
  | { type: 'answer'; call: string; resume: string; sdp: string }
  | { type: 'candidate'; candidate: RTCIceCandidateInit | null }
  | { type: 'state'; state: ServerState; agent: string | null }
  | CallerWords
  | AssistantWords
  | { type: 'ended'; cause: string; outcome: string }
  | ({ type: 'error' } & Refusal);

/** Reads a message of the server; null where it is none that is known here. */
export function parseServerMessage(data: unknown): ServerMessage | null {
  if (typeof data !== 'string') return null;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const message = value as Record<string, unknown>;
  const text = (name: string) => typeof message[name] === 'string';
  const number = (name: string) => typeof message[name] === 'number';
  const flag = (name: string) => typeof message[name] === 'boolean';
  const known =
    (message.type === 'answer' && text('call') && text('resume') && text('sdp')) ||
    message.type === 'candidate' ||
    (message.type === 'state' && text('state')) ||
    (message.type === 'caller' && number('turn') && text('text') && flag('final')) ||
    (message.type === 'assistant' && number('prompt') && text('text') && text('heard') && flag('done')) ||
    (message.type === 'ended' && text('outcome')) ||
    (message.type === 'error' && text('code'));
  return known ? (value as ServerMessage) : null;
}
