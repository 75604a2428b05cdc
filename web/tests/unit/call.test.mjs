import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './load.mjs';

const { TROUBLES, microphoneTrouble, refusalTrouble, troubleWords } = await load('call/troubles.ts');
const { parseServerMessage } = await load('call/protocol.ts');
const { withOpus } = await load('call/sdp.ts');
const { retryAfter } = await load('call/tokens.ts');
const { loudness } = await load('call/levels.ts');

test('every trouble says what to do', () => {
  for (const [code, one] of Object.entries(TROUBLES)) {
    assert.ok(one.title && !one.title.endsWith('.'), code);
    assert.ok(one.remedy.endsWith('.'), code);
  }
});

test('every refusal of the service has its trouble', () => {
  const expected = {
    token_spent: 'token_spent', token_expired: 'token_expired', token_unknown: 'token_refused', wrong_flow: 'no_such_flow',
    foreign_origin: 'foreign_origin', no_room: 'no_room', malformed: 'malformed', no_such_call: 'call_lost',
    draining: 'draining', unauthorized: 'token_refused', no_such_flow: 'no_such_flow', too_many: 'too_many', constructor: 'failed',
  };
  for (const [code, trouble] of Object.entries(expected)) assert.equal(refusalTrouble(code, null), trouble, code);
  assert.equal(refusalTrouble(null, 502), 'server_away');
  assert.equal(refusalTrouble('news', 429), 'too_many');
});

test('what the browser says of the microphone has its trouble', () => {
  assert.equal(microphoneTrouble('NotAllowedError'), 'microphone_refused');
  assert.equal(microphoneTrouble('NotFoundError'), 'microphone_missing');
  assert.equal(microphoneTrouble('NotReadableError'), 'microphone_busy');
});

test('the time to wait is told in words', () => {
  assert.equal(troubleWords('too_many', 20).remedy, 'Please call again in 20 seconds.');
  assert.equal(troubleWords('too_many', 600).remedy, 'Please call again in 10 minutes.');
  assert.match(troubleWords('too_many', null).remedy, /wait a little/);
  assert.equal(retryAfter('7'), 7);
  assert.equal(retryAfter('Thu, 01 Jan 1970 00:01:00 GMT', 0), 60);
  assert.equal(retryAfter('soon'), null);
});

test('messages that are not of the protocol are dropped', () => {
  for (const data of ['', '{', 'null', '[]', '{"type":"news"}', '{"type":"caller","turn":"1"}', 7]) assert.equal(parseServerMessage(data), null);
  assert.equal(parseServerMessage('{"type":"state","state":"agent","agent":"Ada"}').agent, 'Ada');
});

test('Opus is offered with FEC and DTX, mono', () => {
  const sdp = 'm=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:0 PCMU/8000\r\n';
  assert.match(withOpus(sdp), /a=fmtp:111 minptime=10;useinbandfec=1;usedtx=1;stereo=0\r\n/);
  assert.match(withOpus(sdp.replace(/a=fmtp.*\r\n/, '')), /opus\/48000\/2\r\na=fmtp:111 useinbandfec=1;usedtx=1;stereo=0\r\n/);
  assert.equal(withOpus('v=0\r\n'), 'v=0\r\n');
});

test('loudness is none in silence and full at speech', () => {
  assert.equal(loudness(new Float32Array(64)), 0);
  assert.equal(loudness(new Float32Array(64).fill(1)), 1);
});
