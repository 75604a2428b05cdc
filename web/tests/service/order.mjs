// The order call, as a person would place it: what is not understood is said again, at most four times.
import { spoken } from './sound.mjs';

const TRIES = 4;

/** Says something until the assistant answers what was expected; gives how often it was said. */
export async function answered(caller, ways, expected, quiet_ms = 450) {
  for (let said = 1; said <= TRIES; said += 1) {
    const before = (await caller.messages('assistant')).length;
    const [text, voice] = ways[(said - 1) % ways.length];
    await caller.say(spoken(text, voice));
    await caller.hears(quiet_ms);
    const came = (await caller.messages('assistant')).slice(before);
    if (came.some((one) => one.text.includes(expected))) return said;
  }
  throw new Error(`not understood ${TRIES} times: ${ways[0][0]}; ${JSON.stringify((await caller.captions()).slice(-4))}`);
}

export const ASKS = [['where is my order', 'rms'], ['where is my order', 'slt'], ['where is my parcel', 'rms']];
export const DIGITS = [['one two three four five six', 'rms'], ['one, two, three, four, five, six', 'slt']];
export const YES = [['yes', 'slt'], ['yes it is', 'rms'], ['yes please', 'slt'], ['yes that is right', 'rms']];

export async function order(caller) {
  const asked = await answered(caller, ASKS, 'What is your order number');
  const number = await answered(caller, DIGITS, 'Order 1 2 3 4 5 6. Is that right?');
  const yes = await answered(caller, YES, 'out for delivery');
  return { asked, number, yes };
}
