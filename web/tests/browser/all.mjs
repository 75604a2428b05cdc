// All tests in a browser; a name as the argument runs that part alone.
import { calling } from './calling.mjs';
import { launch } from './harness.mjs';
import { reading } from './reading.mjs';
import { service as start } from './service.mjs';
import { troubles } from './troubles.mjs';

const PARTS = { troubles, calling, reading };
const wanted = process.argv.slice(2);
const browser = await launch();
let failed = 0;
for (const [name, part] of Object.entries(PARTS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const service = await start();
  failed += await part(browser, service);
  await service.close();
}
await browser.close();
console.log(failed === 0 ? 'all passed' : `${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
