// The live page of the console with two nodes: one page shows both, and names the one that is gone (CON-074).
import { APP, Fanfare } from '../e2e/support/fanfare.js';
import { sdkFor } from '../e2e/support/scene.js';
import { until } from '../e2e/support/waiting.js';
import { knows, startCluster } from './support/cluster.js';
import { says, test } from './support/console.js';

const row = (page, text) => page.locator('.live > li').filter({ hasText: text }).first();

const configOf = await startCluster();

/** The other node; the page's own is called one. */
async function startOther(t, desk) {
  const other = await Fanfare.start({ config: configOf('two') });
  t.after(() => other.kill());
  await knows(desk.server, 2);
  await knows(other, 2);
  return other;
}

test(
  'con_037 con_074 the live page shows entries of the other node, and names that node while it is gone',
  async (desk, t) => {
    const other = await startOther(t, desk);
    const page = await desk.visit(`/apps/${APP.id}/live`);
    await says(page, 'listening since');
    const shows = async (node, event) => {
      const sdk = sdkFor(node);
      await until(async () => {
        await sdk.trigger('news', event, 1);
        return (await row(page, event).count()) > 0;
      }, event);
    };
    await shows(desk.server, 'from-here');
    await row(page, 'from-here').getByText('one', { exact: false }).first().waitFor();
    await shows(other, 'from-there');
    await row(page, 'from-there').getByText('two', { exact: false }).first().waitFor();
    await other.kill();
    await says(page, 'did not answer: two');
    const again = await startOther(t, desk);
    await page.getByText('did not answer').waitFor({ state: 'detached' });
    await shows(again, 'from-there-again');
  },
  { config: configOf('one') },
);
