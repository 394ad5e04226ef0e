import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { BrowserContextOptions } from "playwright-core";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { openChromium } from "../dev/servers/chromium.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print } from "../src/terminal/print.ts";

const usage = `Takes the pictures of the dashboard in docs/, from a simulated fleet of 256 GPUs.
  bun scripts/dashboard-pictures.ts
Needs what the tests' Chromium needs.`;

const wide = { width: 1280, height: 640 };
const pictures: readonly (readonly [name: string, options: BrowserContextOptions])[] = [
  ["light", { colorScheme: "light", viewport: wide }],
  ["dark", { colorScheme: "dark", viewport: wide }],
  ["phone", { colorScheme: "light", viewport: { width: 390, height: 700 } }],
];

/** Until jobs start and end on some GPUs. */
const waitMs = 40_000;
/** Until the canvases are drawn. */
const settleMs = 1000;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const dir = await mkdtemp(join(tmpdir(), "dashboard-pictures-"));
const pipeline = startPipeline({ DATA_DIR: dir, SIM_HOSTS: "32", SIM_INTERVAL: "2s" });
const chromium = await openChromium();
try {
  const url = await urlOf(pipeline);
  await Bun.sleep(waitMs);
  for (const [name, options] of pictures) {
    const page = await (await chromium.browser.newContext(options)).newPage();
    await page.goto(`${url}/`);
    await page.locator(".status[data-status=live]").waitFor({ timeout: 60_000 });
    await page.locator("canvas").first().waitFor();
    await page.getByRole("button", { name: "Close" }).click();
    await Bun.sleep(settleMs);
    const path = resolve(import.meta.dir, `../docs/dashboard-fleet-${name}.png`);
    const { length } = await page.screenshot({ path });
    print(`${path}: ${Math.round(length / 1024)} KiB`);
    await page.context().close();
  }
} finally {
  await chromium.close();
  await stopPipeline(pipeline);
  await rm(dir, { recursive: true, force: true });
}
