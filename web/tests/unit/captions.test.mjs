import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { captioned, rest, spoken } = await load('call/captions.ts');
const caller = (turn, text, final = false) => ({ type: 'caller', turn, text, final });
const assistant = (prompt, text, heard, done = false) => ({ type: 'assistant', prompt, text, heard, done });
const lines = (...messages) => messages.reduce(captioned, []);

test('the callers words grow and the final ones replace them', () => {
  const [line] = lines(caller(1, 'where'), caller(1, 'where is my'), caller(1, 'Where is my order', true));
  assert.deepEqual(line, { key: 'caller 1', who: 'caller', text: 'Where is my order', unheard: '', final: true });
});

test('the assistants words appear as they are heard', () => {
  const [line] = lines(assistant(7, 'Where would you like it sent?', ''), assistant(7, 'Where would you like it sent?', 'Where would'));
  assert.equal(line.text, 'Where would');
  assert.equal(line.unheard, '');
});

test('what was interrupted is shown as not heard', () => {
  const [line] = lines(assistant(7, 'Where would you like it sent?', 'Where would you', true), assistant(7, 'Where would you like it sent?', 'Where would you', true));
  assert.equal(line.unheard, 'like it sent?');
  assert.equal(spoken(line), 'Assistant: Where would you');
});

test('a line that is final changes no more', () => {
  assert.equal(lines(caller(1, 'yes', true), caller(1, 'no'))[0].text, 'yes');
});

test('a turn that came to nothing leaves no line', () => {
  assert.deepEqual(lines(caller(1, 'mm'), caller(1, '', true)), []);
  assert.deepEqual(lines(assistant(1, 'Hello', '')), []);
});

test('lines keep the order in which they were begun', () => {
  const keys = lines(assistant(1, 'Hi', 'Hi', true), caller(1, 'a'), assistant(2, 'B', 'B'), caller(1, 'a b', true)).map((l) => l.key);
  assert.deepEqual(keys, ['assistant 1', 'caller 1', 'assistant 2']);
});

test('the rest is found by words where the spaces differ', () => {
  assert.equal(rest('one  two three', 'one two'), 'three');
  assert.equal(rest('one two', 'one two'), '');
});

test('lines and their length are bounded', () => {
  let all = [];
  for (let turn = 0; turn < 500; turn += 1) all = captioned(all, caller(turn, 'x'.repeat(10_000), true));
  assert.equal(all.length, 400);
  assert.equal(all[0].text.length, 4_001);
});
