// Chromium, pages that note every fault, accessibility findings, and screenshots.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SCREENS = new URL('../../../target/screens/', import.meta.url).pathname;
mkdirSync(SCREENS, { recursive: true });
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Chromium with more arguments, and without some of the usual ones. */
export const launch = (more = [], without = []) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
      '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection',
      '--disable-features=WebRtcHideLocalIpsWithMdns', ...more,
    ].filter((one) => !without.includes(one)),
  });

/** A page that notes dialogs, violations of the policy and errors in `page.faults`. */
export async function open(browser, url, { dark = false, width = 1280, height = 900, before = null, reduced = false, permissions = ['microphone'] } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: dark ? 'dark' : 'light', reducedMotion: reduced ? 'reduce' : 'no-preference',
    permissions,
  });
  const page = await context.newPage();
  page.faults = [];
  page.on('dialog', (dialog) => { page.faults.push(`dialog ${dialog.message()}`); void dialog.dismiss(); });
  page.on('pageerror', (error) => page.faults.push(`error ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    // A refused request is what many of the tests are about; the browser notes each.
    if (message.type() === 'error' && !/Failed to load resource|WebSocket connection to|net::ERR/.test(text)) page.faults.push(`console ${text}`);
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener('securitypolicyviolation', (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  if (before) await page.addInitScript(before);
  await page.goto(url);
  return page;
}

export async function faultless(page) {
  assert.deepEqual(page.faults, []);
  assert.deepEqual(await page.evaluate(() => window.violations), []);
}

/** No serious or critical finding of axe-core, within shadow roots as well. */
export async function accessible(page, name) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.filter((one) => ['serious', 'critical'].includes(one.impact))
      .map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.any.map((any) => any.message)}`).join(' | ')}`);
  });
  assert.deepEqual(found, [], `${name}: axe`);
}

/** Screenshots light and dark, wide and narrow, with axe in each, and no overflow to the side. */
export async function screens(page, name, { axe = true, fullPage = true } = {}) {
  for (const scheme of ['light', 'dark']) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme: scheme });
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
      await sleep(250);
      await page.screenshot({ path: `${SCREENS}${name}-${scheme}-${width}.png`, fullPage });
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${name} ${scheme} ${width}: ${over} px beyond the side`);
      if (axe) await accessible(page, `${name} ${scheme} ${width}`);
    }
  }
}

/** Runs tests one after the other, prints each, and gives how many failed. */
export async function suite(name, tests) {
  let failed = 0;
  for (const [title, body] of Object.entries(tests)) {
    const began = Date.now();
    try {
      await body();
      console.log(`ok   ${name}: ${title} (${Date.now() - began} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}: ${title}\n${error.stack}`);
    }
  }
  return failed;
}

/** Strings that have broken pages. */
export const NAUGHTY = [
  '<img src=x onerror=alert(1)>', '<script>alert(1)</script>', '"><svg onload=alert(1)>', 'javascript:alert(1)', '{{constructor.constructor("alert(1)")()}}',
  '${alert(1)}', '</textarea><iframe src=javascript:alert(1)>', '\u202Egnihton\u202C', 'Ṱ̺̺̕o͞ ̷i̲̬͇̪͙n̝̗͕v̟̜̘̦͟o̶̙̰̠kè͚̮̺̪̹̱̤', '\u0000\u0007\u001b[31m', '👩‍👩‍👧‍👦🏳️‍🌈', 'x'.repeat(10_000),
  'word '.repeat(2_000), '\uD800', '__proto__', 'constructor', '%s%n', 'مرحبا <b>بك</b>',
  ...blns(),
];

function blns() {
  try {
    return readFileSync(new URL('../../../../shared/data/sip/text-attacks/blns_dev.txt', import.meta.url), 'utf8').split('\n').filter((line) => line && !line.startsWith('#'));
  } catch {
    return [];
  }
}
