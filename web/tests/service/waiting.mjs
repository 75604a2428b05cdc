// Waiting for something to be so, with a deadline; never for time alone.
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Asks until the answer is neither null, undefined nor false, and gives it. */
export async function until(what, ask, ms = 10_000, every_ms = 50) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== undefined && answer !== false) return answer;
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}`);
    await pause(every_ms);
  }
}
