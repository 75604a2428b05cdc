// Fails where src/api.d.ts is not what ../schemas/openapi.json gives.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = mkdtempSync(join(tmpdir(), 'cordboard-types-'));
const fresh = join(folder, 'api.d.ts');
execFileSync('npx', ['openapi-typescript', '../schemas/openapi.json', '-o', fresh], { stdio: 'ignore' });
const current = readFileSync(fresh, 'utf8') === readFileSync('src/api.d.ts', 'utf8');
rmSync(folder, { recursive: true });
if (!current) {
  console.error('src/api.d.ts is not current: run `npm run types`');
  process.exit(1);
}
