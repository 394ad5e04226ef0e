import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeFleetCsv } from "../dev/fleet-csv.ts";
import { startPipeline, stopPipeline, urlOf } from "../dev/pipeline-process.ts";
import { metrics } from "../src/domain/metrics.ts";
import { grouped, print } from "./support/output.ts";
import { usageOf } from "./support/process-usage.ts";
import { quantile } from "./support/statistics.ts";

// Measures how long a process with an embedded store takes to answer what it serves from memory, while clients ask for the largest
// aggregate that is allowed: 20 metrics of every GPU, minute by minute, up to 100,000 rows. Prints the times alone, beside the
// clients, and their ratio.

const { values } = parseArgs({
  options: {
    hosts: { type: "string", default: "31" },
    minutes: { type: "string", default: "120" },
    interval: { type: "string", default: "15s" },
    clients: { type: "string", default: "3" },
    seconds: { type: "string", default: "30" },
  },
});
const [hosts, minutes, clients, seconds] = [values.hosts, values.minutes, values.clients, values.seconds].map(Number);
const askEveryMs = 20;
/** As many as a request may name. */
const maxMetrics = 20;
const paths = ["/health", "/api/v1/gpus"] as const;
type Times = Readonly<Record<(typeof paths)[number], number[]>>;

/** Asks for each path every 20 ms, whether or not the answers before have come. */
async function timesOf(url: string, forSeconds: number): Promise<Times> {
  const times: Times = { "/health": [], "/api/v1/gpus": [] };
  const asked: Promise<void>[] = [];
  const ask = async (path: (typeof paths)[number]): Promise<void> => {
    const askedAtMs = performance.now();
    const response = await fetch(`${url}${path}`);
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    times[path].push(performance.now() - askedAtMs);
  };
  const endMs = performance.now() + forSeconds * 1000;
  while (performance.now() < endMs) {
    for (const path of paths) asked.push(ask(path));
    await Bun.sleep(askEveryMs);
  }
  await Promise.all(asked);
  return times;
}

/** A client that asks for the aggregate again as soon as it has it, in a process of its own: the answers are large. */
function startClient(aggregate: string): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const script = `for (;;) { const r = await fetch(${JSON.stringify(aggregate)}); const b = await r.arrayBuffer(); console.log(r.status, b.byteLength, r.ok ? '' : new TextDecoder().decode(b)); }`;
  return Bun.spawn([process.execPath, "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
}

const folder = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
const csv = join(folder, "fleet.csv");
await writeFleetCsv(csv, {
  hosts: hosts ?? NaN,
  "gpus-per-host": 8,
  seconds: (minutes ?? NaN) * 60,
  interval: values.interval,
  seed: 42,
});
const pipeline = startPipeline({ DATA_DIR: join(folder, "data"), CSV_FILE: csv, LOG_LEVEL: "warn" });
try {
  const url = await urlOf(pipeline, 120_000);
  await pipeline.waitFor(/records stored/, 1_800_000);
  const { data } = (await (await fetch(`${url}/api/v1/telemetry/latest?limit=1`)).json()) as {
    data: { timestamp: string }[];
  };
  const end = data[0]?.timestamp ?? "";
  const start = new Date(Date.parse(end) - (minutes ?? NaN) * 60_000).toISOString();
  const query = new URLSearchParams({
    group_by: "gpu",
    metrics: metrics
      .slice(0, maxMetrics)
      .map(({ name }) => name)
      .join(),
    limit: "100000",
  });
  const aggregate = `${url}/api/v1/telemetry/aggregates?${query.toString()}&resolution=1m&start_time=${start}&end_time=${end}`;
  const first = await fetch(aggregate);
  if (!first.ok) throw new Error(await first.text());
  print(`the aggregate has ${grouped(((await first.json()) as { count: number }).count)} rows`);
  const alone = await timesOf(url, Number(seconds) / 3);
  const heavy = Array.from({ length: clients ?? NaN }, () => startClient(aggregate));
  await Bun.sleep(500);
  const cpuBefore = usageOf([pipeline.subprocess.pid]).cpuSeconds;
  const beside = await timesOf(url, seconds ?? NaN);
  const cpuSeconds = usageOf([pipeline.subprocess.pid]).cpuSeconds - cpuBefore;
  for (const client of heavy) client.kill();
  const answers = (await Promise.all(heavy.map(({ stdout }) => new Response(stdout).text()))).join("").trim();
  const lines = answers.split("\n");
  print(
    `${lines.length} aggregates were answered (status and bytes: ${lines[0]}), ${cpuSeconds.toFixed(1)} CPU-seconds`,
  );
  for (const path of paths) {
    const [before, during] = [alone[path], beside[path]].map((times) =>
      [0.5, 0.99, 1].map((share) => quantile(times, share)),
    ) as [number[], number[]];
    const text = (times: number[]) => times.map((ms) => ms.toFixed(1)).join(" / ");
    const ratio = (during[1] ?? NaN) / (before[1] ?? NaN);
    print(
      `${path}: p50 / p99 / max ms: alone ${text(before)}; beside ${clients} clients ${text(during)}; p99 ${ratio.toFixed(1)}x`,
    );
  }
  print(
    `${grouped(beside["/health"].length)} requests for each; peak memory ${grouped(usageOf([pipeline.subprocess.pid]).peakRssBytes / 1024 ** 2)} MiB`,
  );
} finally {
  await stopPipeline(pipeline);
  await rm(folder, { recursive: true, force: true });
}
