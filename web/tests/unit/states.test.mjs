import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { START, TRANSITIONS, after, endWords, stateWords, talking, underWay } = await load('call/states.ts');
const run = (...events) => events.reduce(after, START);
const STATES = ['idle', 'asking', 'connecting', 'listening', 'thinking', 'speaking', 'hold', 'waiting', 'agent', 'reconnecting', 'ended', 'failed'];

test('a call goes from the button to its end', () => {
  const places = ['called', 'microphone', 'speaking', 'listening', 'thinking', 'waiting', 'agent', 'ended'].reduce(
    (all, event) => [...all, after(all.at(-1), event)], [START]);
  assert.deepEqual(places.map((p) => p.state), ['idle', 'asking', 'connecting', 'speaking', 'listening', 'thinking', 'waiting', 'agent', 'ended']);
});

test('a lost connection goes back to where the call was', () => {
  assert.equal(run('called', 'microphone', 'waiting', 'lost', 'restored').state, 'waiting');
});

test('what the server says during a loss is where the call goes back to', () => {
  assert.equal(run('called', 'microphone', 'waiting', 'lost', 'agent').state, 'reconnecting');
  assert.equal(run('called', 'microphone', 'waiting', 'lost', 'agent', 'restored').state, 'agent');
});

test('every event in every state leads to a known state, and a resting call stays at rest', () => {
  for (const state of STATES) {
    for (const event of Object.keys(TRANSITIONS)) {
      const next = after({ state, before: 'listening' }, event);
      assert.ok(STATES.includes(next.state), `${state} ${event}`);
      if (!underWay(state) && event !== 'called' && event !== 'trouble') assert.equal(next.state, state);
    }
  }
});

test('every state has words, and the agents name is among them', () => {
  for (const state of STATES) assert.ok(stateWords(state, null).length > 3);
  assert.equal(stateWords('agent', 'Ada'), 'With Ada');
  assert.ok(talking('hold') && !talking('reconnecting'));
  assert.equal(endWords('unheard_of'), 'The call is over.');
});
