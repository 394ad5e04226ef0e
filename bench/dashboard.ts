import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { openChromium } from "../dev/servers/chromium.ts";
import { until } from "../dev/until.ts";
import { print } from "./support/output.ts";
import { median, quantile } from "./support/statistics.ts";

// Measures the dashboard in a real Chromium, without a graphics card: the main thread's time for an update of the heat map, with a tenth
// of the devices and with all of them changed; and with a simulated fleet of 10,000 GPUs on the same machine, the time to the
// first paint and to the heat map, the bytes to load, and what blocks the main thread. `bun bench/dashboard.ts`

const loads = 7;
const watchMs = 30_000;
const ms = (value: number): string => `${value.toFixed(2)} ms`;

type UpdateTimes = Readonly<Record<"taken" | "drawn", readonly number[]>>;

async function measureUpdates(browser: Browser): Promise<void> {
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dir, "dashboard/update-page.ts")],
    target: "browser",
    minify: true,
  });
  const script = (await outputs[0]?.text()) ?? "";
  // with these, the browser's clock has 5 us
  const headers = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  const html = { headers: { ...headers, "content-type": "text/html" } };
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("<!doctype html>", html) });
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
  await page.goto(`http://localhost:${server.port}/`);
  await page.evaluate(script);
  for (const gpus of [10_000, 100_000]) {
    for (const share of [0.1, 1]) {
      const { taken, drawn } = await page.evaluate<UpdateTimes>(`measureUpdates(${gpus}, ${share})`);
      const spread = (timesMs: readonly number[]): string =>
        `median ${ms(median(timesMs))}, p99 ${ms(quantile(timesMs, 0.99))}`;
      print(`${gpus} GPUs, ${share * 100} % changed: heat map ${spread(drawn)}; records taken in ${spread(taken)}`);
    }
  }
  await page.context().close();
  await server.stop(true);
}

/** Runs before the page's own script: notes when the heat map has been drawn, and each task that blocks the main thread. */
const watcher = `
  window.blockedMs = [];
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => blockedMs.push(duration))).observe({ type: "longtask" });
  const look = () => {
    const canvas = document.querySelector("canvas.values");
    if (canvas !== null && canvas.clientWidth > 100) requestAnimationFrame(() => (window.drawnMs = performance.now()));
    else requestAnimationFrame(look);
  };
  look();`;

async function measureLoads(browser: Browser, url: string): Promise<void> {
  const painted: number[] = [];
  const drawn: number[] = [];
  for (let load = 0; load < loads; load++) {
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage();
    await page.addInitScript(watcher);
    await page.goto(url);
    await until(() => page.evaluate<boolean>("window.drawnMs !== undefined"));
    const [paint] = await page.evaluate<number[]>(
      `performance.getEntriesByName("first-contentful-paint").map(({ startTime }) => startTime)`,
    );
    painted.push(paint ?? NaN);
    drawn.push(await page.evaluate<number>("drawnMs"));
    if (load === loads - 1) {
      const assets = `performance.getEntriesByType("resource").filter(({ name }) => name.includes("/assets/"))`;
      print(
        `script and style: ${await page.evaluate<number>(`${assets}.reduce((sum, each) => sum + each.encodedBodySize, 0)`)} bytes`,
      );
      await page.evaluate("blockedMs.length = 0");
      await Bun.sleep(watchMs);
      const blocked = await page.evaluate<number[]>("blockedMs");
      print(`${watchMs / 1000} s live: ${blocked.length} tasks over 50 ms, the longest ${Math.max(0, ...blocked)} ms`);
    }
    await page.context().close();
  }
  print(`first paint: median ${ms(median(painted))}, highest ${ms(Math.max(...painted))}`);
  print(`heat map of 10,000 GPUs drawn: median ${ms(median(drawn))}, highest ${ms(Math.max(...drawn))}`);
}

const dir = await mkdtemp(join(tmpdir(), "bench-dashboard-"));
const chromium = await openChromium();
const pipeline = startPipeline({ DATA_DIR: dir, SIM_HOSTS: "1250", SIM_INTERVAL: "10s" });
try {
  await measureUpdates(chromium.browser);
  const url = await urlOf(pipeline);
  const count = async (): Promise<number> =>
    ((await (await fetch(`${url}/api/v1/gpus`)).json()) as { count: number }).count;
  await until(async () => (await count()) > 9000, { timeoutMs: 120_000, everyMs: 500 });
  await measureLoads(chromium.browser, url);
} finally {
  await chromium.close();
  await stopPipeline(pipeline);
  await rm(dir, { recursive: true, force: true });
}
