// The same order call by telephone, for comparison: an independent caller rings by SIP and measures by itself.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SHARED, has, start } from './cordboard.mjs';
import { spoken } from './sound.mjs';

const RINGER = join(SHARED, 'tools/ringer.py');

export function phone(service) {
  if (!existsSync(RINGER)) {
    console.log(`skip ${RINGER} is not there: the call by telephone is passed over`);
    return {};
  }
  if (!has('python3', 'the call by telephone') || spawnSync('python3', ['-W', 'ignore', '-c', 'import audioop']).status !== 0) return {};
  const ring = async (plan, seconds) => {
    const args = ['-W', 'ignore', RINGER, `sip:parcel@${service.sip}`, '--json', '--for', String(seconds)];
    for (const [when, [text, voice]] of plan) args.push('--say', `${when}=${spoken(text, voice)}`);
    const program = start('python3', args);
    assert.equal(await program.gone, 0);
    return JSON.parse(program.lines.join(''));
  };
  return {
    async 'the same by telephone'() {
      const [order, cut] = await Promise.all([
        ring([['q0.9', ['where is my order', 'rms']], ['q0.5', ['one two three four five six', 'rms']], ['q0.5', ['yes', 'slt']]], 32),
        ring([['b0.6', ['where is my order', 'rms']]], 6),
      ]);
      assert.deepEqual([order.status, cut.status], [200, 200]);
      const waits = order.turns.map(({ response_ms }) => response_ms);
      assert.ok(waits.length >= 2 && waits.every((wait) => wait !== null), `${waits}`);
      return `answered ${waits.join(', ')} ms after the end of speech; silent ${cut.turns[0]?.stop_ms} ms after the begin of speech`;
    },
  };
}
