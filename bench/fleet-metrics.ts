import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startPipeline, stopPipeline } from "../dev/pipeline-process.ts";
import { until } from "../dev/until.ts";
import { grouped, print } from "./support/output.ts";
import { memoryBytes, usageOf } from "./support/process-usage.ts";

// Measures what a scrape of /metrics/fleet costs the process that answers it: its processor time, and the memory of the process before
// and at most during the scrapes. The fleet is simulated, and measures nothing while it is scraped.
//
// Usage: bun bench/fleet-metrics.ts [--hosts 1250] [--scrapes 5]

const { values: given } = parseArgs({
  options: { hosts: { type: "string", default: "1250" }, scrapes: { type: "string", default: "5" } },
});
const gpus = Number(given.hosts) * 8;
const scrapes = Number(given.scrapes);
const folder = await mkdtemp(join(tmpdir(), "fleet-metrics-"));
const pipeline = startPipeline({
  ...{ DATA_DIR: folder, METRICS_FLEET: "true", METRICS_FLEET_STALE_AFTER: "1h", SETTLE_HISTORY: "false" },
  ...{ SIM_HOSTS: given.hosts, SIM_GPUS_PER_HOST: "8", SIM_INTERVAL: "30m", SIM_FAULTS: "none" },
});
const { pid } = pipeline.subprocess;
const inMebibytes = (bytes: number): string => `${grouped(bytes / 2 ** 20)} MiB`;

/** @returns the bytes that were received */
async function scrape(url: string, encoding: string): Promise<number> {
  const answer = await fetch(url, { headers: { "accept-encoding": encoding }, decompress: false });
  let bytes = 0;
  for await (const chunk of answer.body as ReadableStream<Uint8Array>) bytes += chunk.length;
  return bytes;
}

try {
  const [, origin = ""] = await pipeline.waitFor(/(http:\/\/[^/\s]+:\d+)/);
  const url = `${origin}/metrics/fleet`;
  const listed = async () => ((await (await fetch(`${origin}/api/v1/gpus`)).json()) as { count: number }).count;
  await until(async () => (await listed()) === gpus, { timeoutMs: 120_000, everyMs: 1000 });
  const lines = (await (await fetch(url)).text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  print(`${grouped(gpus)} GPUs, ${grouped(lines.length)} samples; two scrapes first, which are not counted`);
  for (const encoding of ["identity", "gzip"]) {
    await scrape(url, encoding);
    const before = usageOf([pid]).cpuSeconds;
    const memoryBefore = memoryBytes([pid]);
    let most = memoryBefore;
    const watching = setInterval(() => (most = Math.max(most, memoryBytes([pid]))), 100);
    const startMs = performance.now();
    let bytes = 0;
    for (let count = 0; count < scrapes; count += 1) bytes += await scrape(url, encoding);
    const tookMs = (performance.now() - startMs) / scrapes;
    clearInterval(watching);
    const cpuMs = ((usageOf([pid]).cpuSeconds - before) * 1000) / scrapes;
    print(
      `${encoding}: ${grouped(cpuMs)} ms of processor time a scrape, ${grouped(tookMs)} ms until its end, ` +
        `${inMebibytes(bytes / scrapes)}; memory ${inMebibytes(memoryBefore)} before, at most ${inMebibytes(most)}`,
    );
  }
} finally {
  await stopPipeline(pipeline);
  await rm(folder, { recursive: true });
}
