// Tests against the real binary; names as arguments run those parts alone. What is timed (voice, person, phone)
// has the machine for itself; then come those that wait most of the time, side by side.
import { launch } from '../browser/harness.mjs';
import { cordboard, freePort, has } from './cordboard.mjs';
import { killed, network } from './network.mjs';
import { pages } from './pages.mjs';
import { baresip, coturn } from './peers.mjs';
import { agentSays, person } from './person.mjs';
import { phone } from './phone.mjs';
import { naughtyFlow, troubles } from './troubles.mjs';
import { capture, voice } from './voice.mjs';

/**
 * Runs tests one after the other, prints each with its figures, and gives how many failed. They measure sound in real
 * time on whatever machine this is: one that fails is run once more, and both are told.
 */
async function run(name, tests) {
  let failed = 0;
  for (const [title, body] of Object.entries(tests)) {
    if (await passes(name, title, body)) continue;
    console.log(`     ${name}: ${title}: once more`);
    failed += (await passes(name, title, body)) ? 0 : 1;
  }
  return failed;
}

async function passes(name, title, body) {
  const began = Date.now();
  try {
    const figures = await body();
    console.log(`ok   ${name}: ${title} (${Date.now() - began} ms): ${figures}`);
    return true;
  } catch (error) {
    console.log(`FAIL ${name}: ${title} (${Date.now() - began} ms)\n${error.stack}`);
    return false;
  }
}

const sum = (numbers) => numbers.reduce((a, b) => a + Number(b), 0);
/** The same, all at once. */
const together = async (name, tests) => {
  const failed = await Promise.all(Object.entries(tests).map(([title, body]) => run(name, { [title]: body })));
  return sum(failed);
};

const PARTS = ['voice', 'person', 'phone', 'network', 'troubles', 'pages', 'capture'];
const wanted = process.argv.slice(2);
for (const name of wanted) if (!PARTS.includes(name)) throw new Error(`no part ${name}; there are ${PARTS.join(', ')}`);
const wants = (...names) => wanted.length === 0 || names.some((name) => wanted.includes(name));
/** A service that ended by itself is a fault of its own, whatever the tests say. */
async function closed(service) {
  const { exitCode, signalCode } = service.program.child;
  const gone = exitCode !== null || signalCode !== null;
  if (gone) console.log(`FAIL the service ended by itself: ${exitCode ?? signalCode}\n${service.log().slice(-2_000)}`);
  await service.close();
  return gone ? 1 : 0;
}

// A packet is kept for agents with a token alone.
const queue = (uri) => `[[queue]]\nname = "service"\n[[agent]]\nname = "ada"\nuri = "${uri}"\ntoken = "a-secret-of-the-agent-alone"\nqueues = ["service"]\n`;

async function timed() {
  const telephone = wants('person') && has('baresip', 'the call to a person') ? await baresip('ada', agentSays()) : null;
  const service = await cordboard({ recognizers: 3, more: telephone ? queue(telephone.uri) : '' });
  const browser = await launch();
  let failed = 0;
  if (wants('voice')) failed += await run('voice', voice(browser, service));
  if (telephone) failed += await run('person', person(browser, service, telephone));
  failed += sum(await Promise.all([wants('phone') && run('phone', phone(service)), wants('capture') && run('voice', capture(service))]));
  await browser.close();
  return failed + (await closed(service));
}

async function networks() {
  const relays = has('turnserver', 'the way by a relay') ? [await coturn(), await coturn()] : null;
  // Who is away or only listens is not asked again meanwhile.
  const changes = { recognizers: 2, browser: relays?.map(({ settings }) => settings).join('') ?? '', more: '[turn]\nno_input_ms = 20000\n' };
  const service = await cordboard(changes);
  const browser = await launch();
  const failed = (await together('network', network(browser, service, relays))) + (await run('network', killed(browser, service, changes)));
  await browser.close();
  return failed;
}

async function others() {
  const allowed = await freePort();
  // The agent answers and presses nothing: who asks for a person waits, and the packet is made.
  const telephone = wants('pages') && has('baresip', 'the packet') ? await baresip('ada', agentSays()) : null;
  const more = `[[route]]\nto = "naughty"\nflow = "${naughtyFlow()}"\n${telephone ? queue(telephone.uri) : ''}[turn]\nno_input_ms = 20000\n`;
  const service = await cordboard({ recognizers: 2, browser: `origins = ["http://127.0.0.1:${allowed}"]\n`, more });
  const browser = await launch();
  let failed = 0;
  if (wants('troubles')) failed += await run('troubles', troubles(browser, service, allowed));
  if (wants('pages')) failed += await run('pages', pages(browser, service, telephone !== null));
  await browser.close();
  return failed + (await closed(service));
}

const began = Date.now();
let failed = wants('voice', 'person', 'phone', 'capture') ? await timed() : 0;
failed += sum(await Promise.all([wants('network') && networks(), wants('troubles', 'pages') && others()]));
console.log(`${failed === 0 ? 'all passed' : `${failed} failed`} in ${Math.round((Date.now() - began) / 1000)} s`);
process.exit(failed === 0 ? 0 : 1);
