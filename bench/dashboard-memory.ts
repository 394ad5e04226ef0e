import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, CDPSession, Page } from "playwright-core";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { openChromium } from "../dev/servers/chromium.ts";
import { until } from "../dev/until.ts";
import { print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

// Watches the memory of the dashboard's pages in a real Chromium while a simulated fleet of 256 GPUs reports every two seconds: what is
// left after a garbage collection, four times a minute. The live chart of a GPU has its 15 minutes after half of the time; from then
// on, no page's heap may grow by more than a tenth; its nodes may, because tables get the rows of jobs that have ended.
// `bun bench/dashboard-memory.ts [minutes, by default 30]`

const minutes = Number(process.argv[2] ?? 30);
const samplesPerMinute = 4;
/** The part of the samples that is compared: the newest, and as many from the middle on. */
const comparedShare = 1 / 6;
const mostGrowth = 0.1;

interface Sample {
  readonly heapBytes: number;
  readonly nodes: number;
  readonly listeners: number;
}

class WatchedPage {
  readonly samples: Sample[] = [];

  private constructor(
    readonly name: string,
    private readonly page: Page,
    private readonly session: CDPSession,
  ) {}

  static async open(browser: Browser, name: string, url: string): Promise<WatchedPage> {
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    await page.goto(url);
    await page.locator("main").waitFor();
    return new WatchedPage(name, page, session);
  }

  /** Does what people do with it: points at something, and moves on by keyboard. */
  async use(): Promise<void> {
    const drawing = this.page.getByRole("application");
    if ((await drawing.count()) === 0) return;
    await drawing.first().focus();
    for (const key of ["ArrowRight", "ArrowDown", "End", "ArrowLeft"]) await this.page.keyboard.press(key);
  }

  async sample(): Promise<void> {
    await this.session.send("HeapProfiler.collectGarbage");
    const { metrics } = await this.session.send("Performance.getMetrics");
    const value = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? NaN;
    this.samples.push({
      heapBytes: value("JSHeapUsedSize"),
      nodes: value("Nodes"),
      listeners: value("JSEventListeners"),
    });
  }

  /** @returns whether it has not grown too much */
  report(): boolean {
    const count = Math.max(1, Math.round(this.samples.length * comparedShare));
    const middle = this.samples.slice(Math.floor(this.samples.length / 2)).slice(0, count);
    const newest = this.samples.slice(-count);
    const told = (["heapBytes", "nodes", "listeners"] as const).map((name) => {
      const [before, after] = [middle, newest].map((samples) => median(samples.map((sample) => sample[name])));
      const [from, to] = [before ?? NaN, after ?? NaN];
      const shown = (each: number): string =>
        name === "heapBytes" ? `${(each / 1_048_576).toFixed(2)} MiB` : `${each}`;
      return {
        text: `${name} ${shown(from)} -> ${shown(to)}`,
        isFlat: name === "nodes" || to <= from * (1 + mostGrowth),
      };
    });
    print(`${this.name}: ${told.map(({ text }) => text).join(", ")}`);
    return told.every(({ isFlat }) => isFlat);
  }
}

const dir = await mkdtemp(join(tmpdir(), "bench-dashboard-memory-"));
const chromium = await openChromium();
const pipeline = startPipeline({ DATA_DIR: dir, SIM_HOSTS: "32", SIM_INTERVAL: "2s" });
try {
  const url = await urlOf(pipeline);
  const gpus = async () =>
    ((await (await fetch(`${url}/api/v1/gpus`)).json()) as { data: { uuid: string; hostname: string }[] }).data;
  const [gpu] = await until(async () => {
    const found = await gpus();
    return found.length === 256 && found;
  });
  const paths = {
    ...{ fleet: "/", faults: "/faults", namespaces: "/namespaces", pipeline: "/pipeline" },
    ...{ gpu: `/gpu?uuid=${gpu?.uuid}&range=15m`, host: `/host?hostname=${gpu?.hostname}` },
  };
  const pages: WatchedPage[] = [];
  for (const [name, path] of Object.entries(paths)) {
    pages.push(await WatchedPage.open(chromium.browser, name, `${url}${path}`));
  }
  for (let sample = 0; sample < minutes * samplesPerMinute; sample++) {
    await Bun.sleep(60_000 / samplesPerMinute);
    for (const page of pages) {
      await page.use();
      await page.sample();
    }
  }
  const isFlat = pages.map((page) => page.report()).every(Boolean);
  print(isFlat ? `flat over ${minutes} minutes` : `not flat over ${minutes} minutes`);
  process.exitCode = isFlat ? 0 : 1;
} finally {
  await chromium.close();
  await stopPipeline(pipeline);
  await rm(dir, { recursive: true, force: true });
}
