// The pages on real calls: the caller's before and in a call, the engineer's while it goes on and after.
import assert from 'node:assert/strict';
import { faultless, open, screens } from '../browser/harness.mjs';
import { caller } from './caller.mjs';
import { order } from './order.mjs';
import { until } from './waiting.mjs';

export const pages = (browser, service, agent) => ({
  async 'the pages of a real call, live and after'() {
    const idle = await open(browser, `${service.url}/?flow=parcel`);
    await idle.getByRole('button', { name: 'Call', exact: true }).waitFor();
    await screens(idle, 'service-idle');
    await faultless(idle);
    await idle.context().close();
    const list = await open(browser, `${service.url}/calls`);
    await list.getByRole('heading', { name: 'Calls' }).waitFor();
    const one = await caller(browser, `${service.url}/?flow=parcel`);
    await one.call();
    await list.locator(`a[href="/calls/${one.id}"]`).waitFor({ timeout: 5_000 });
    const engineer = await open(browser, `${service.url}/calls/${one.id}`);
    await engineer.getByText('Timeline', { exact: true }).waitFor();
    await one.hears(900);
    await order(one);
    await one.page.getByRole('button', { name: 'Keypad' }).click();
    await one.page.keyboard.type('12');
    await screens(one.page, 'service-in-call');
    await one.page.getByRole('button', { name: 'Talk to a person' }).click();
    if (agent) await service.entry(one.id, 'the agent', ({ what }) => what === 'agent_answered');
    // Live: what the service has is what the page has, without being loaded anew.
    const counted = async () => (await engineer.getByText(/^\d+ entries$/).textContent()).split(' ')[0];
    await until('all entries, live', async () => Number(await counted()) === (await service.timeline(one.id)).length, 10_000);
    if (agent) await engineer.getByRole('heading', { name: 'Context packet' }).waitFor();
    await engineer.getByRole('heading', { name: 'Response latency' }).waitFor();
    await engineer.getByRole('heading', { name: /Tool/ }).first().waitFor();
    await engineer.locator('.tag.live').first().waitFor();
    await screens(engineer, 'service-call-live');
    await list.locator('tr.live').first().waitFor();
    await one.hangUp();
    await one.state('Call ended');
    await screens(one.page, 'service-ended');
    await service.ended(one.id);
    await engineer.getByRole('button', { name: 'Play' }).and(engineer.locator(':enabled')).waitFor({ timeout: 10_000 });
    await until('all entries', async () => Number(await counted()) === (await service.timeline(one.id)).length, 10_000);
    // The waveform has sound on both lanes: not all one colour.
    await engineer.getByRole('button', { name: 'Play' }).click();
    await engineer.getByRole('button', { name: 'Pause' }).click();
    await screens(engineer, 'service-call-ended');
    await list.locator('tr', { has: list.locator(`a[href="/calls/${one.id}"]`) }).getByText('live', { exact: true }).waitFor({ state: 'detached', timeout: 5_000 });
    await screens(list, 'service-list');
    for (const page of [list, engineer, one.page]) {
      await faultless(page);
      await page.context().close();
    }
    // Loaded after the end.
    const after = await open(browser, `${service.url}/calls/${one.id}#at=9000`);
    if (agent) await after.getByRole('heading', { name: 'Context packet' }).waitFor();
    await after.getByRole('button', { name: 'Play' }).and(after.locator(':enabled')).waitFor();
    await faultless(after);
    const entries = Number((await after.getByText(/^\d+ entries$/).textContent()).split(' ')[0]);
    assert.equal(entries, (await service.timeline(one.id)).length);
    await after.context().close();
    return `${entries} entries, live and after; waveform, latency, tools, packet`;
  },
});
