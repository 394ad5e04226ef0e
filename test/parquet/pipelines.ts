import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { usageOf } from "../../bench/support/process-usage.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { until } from "../../dev/until.ts";
import { hourMs } from "../../src/domain/time-range.ts";
import { print } from "../../src/terminal/print.ts";
import { withClient } from "../support/postgres-database.ts";
import type { Part } from "./fleet.ts";

/** A store, and the folder of all files. */
export interface Place {
  readonly url: string;
  readonly etcdEndpoints: string;
  readonly folder: string;
}

/** A gateway that answers from a store. */
export interface Gateway {
  readonly url: string;
  readonly storeUrl: string;
  readonly process: PipelineProcess;
}

const start = ({ url, etcdEndpoints }: Place, more: Record<string, string>): PipelineProcess =>
  startPipeline({
    ...{ DATABASE_URL: url, ETCD_ENDPOINTS: etcdEndpoints, SETTLE_HISTORY: "false" },
    ...{ QUEUE_TOPIC: `parquet-${crypto.randomUUID().slice(-8)}`, ...more },
  });

function report(what: string, { subprocess }: PipelineProcess, sinceMs: number): void {
  const { cpuSeconds, peakRssBytes } = usageOf([subprocess.pid]);
  const seconds = (performance.now() - sinceMs) / 1000;
  const memory = Math.round(peakRssBytes / 1024 ** 2);
  print(`${what}: ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of processor time, at most ${memory} MiB`);
}

async function numberIn(url: string, statement: string): Promise<number> {
  const [row] = await withClient(url, (client) => client.query<{ n: number }>(statement));
  return row?.n ?? 0;
}

/** A collector archives all records of the store to the folder `archive`. */
export async function archiveAll(place: Place, records: number): Promise<void> {
  const archiving = { ROLE: "collector", ARCHIVE_TO: join(place.folder, "archive"), ARCHIVE_AFTER_MINUTES: "0" };
  const collector = start(place, archiving);
  const before = performance.now();
  try {
    const isArchived = async (): Promise<boolean> => {
      const hours = "(select count(*) from archive_hours where is_open or archived_at is null)";
      const found = `select (case when ${hours} > 0 then 0 else sum(records) end)::float8 as n from archive_files`;
      return (await numberIn(place.url, found)) >= records;
    };
    await until(isArchived, { timeoutMs: 1_800_000, everyMs: 500 });
    report("a collector has archived it", collector, before);
  } finally {
    await stopPipeline(collector);
  }
}

/** Runs a gateway for each of two stores. The one of the copy also stores what is pushed to it. */
export async function withGateways<T>(
  place: Place,
  copy: Place,
  work: (original: Gateway, copied: Gateway) => Promise<T>,
): Promise<T> {
  const processes = [start(place, { ROLE: "gateway" }), start(copy, { ROLE: "collector,gateway" })] as const;
  try {
    const [original, copied] = await Promise.all([urlOf(processes[0]), urlOf(processes[1])]);
    return await work(
      { url: original, storeUrl: place.url, process: processes[0] },
      { url: copied, storeUrl: copy.url, process: processes[1] },
    );
  } finally {
    await Promise.all(processes.map((each) => stopPipeline(each)));
  }
}

/** The file of an hour's export. */
export const exportedFile = (folder: string, hour: number): string =>
  join(folder, `${new Date(hour).toISOString().slice(0, 13)}.parquet`);

/** Saves an answer in Parquet for each hour. */
export async function exportAll(url: string, folder: string, parts: readonly Part[]): Promise<void> {
  mkdirSync(folder);
  for (const hour of new Set(parts.map((part) => part.hour))) {
    const range = { start_time: new Date(hour).toISOString(), end_time: new Date(hour + hourMs - 1).toISOString() };
    const answer = await fetch(`${url}/api/v1/telemetry?${new URLSearchParams(range).toString()}`, {
      headers: { Accept: "application/vnd.apache.parquet" },
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    await Bun.write(exportedFile(folder, hour), answer);
  }
}

/** Reads the archive into the gateway's store. @returns what went wrong */
export async function importAll({ url, process: gateway, storeUrl }: Gateway, folder: string): Promise<string[]> {
  const before = performance.now();
  const command = [process.execPath, "scripts/telemetry.ts", "--url", url, "import", folder];
  const child = Bun.spawn(command, { cwd: `${import.meta.dir}/../..`, stdout: "pipe", stderr: "inherit" });
  // of its own: the system counts the memory of this process, which has DuckDB, as that of the child until it begins its program
  let peakRssBytes = 0;
  const watching = setInterval(() => (peakRssBytes = Math.max(peakRssBytes, usageOf([child.pid]).peakRssBytes)), 200);
  const [said, code] = await Promise.all([child.stdout.text(), child.exited]);
  clearInterval(watching);
  const memory = Math.round(peakRssBytes / 1024 ** 2);
  const cpuSeconds = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  print(`import says: ${said.trim()}; ${cpuSeconds.toFixed(1)} s of processor time, at most ${memory} MiB`);
  let last = -1;
  const isStill = async (): Promise<boolean> => {
    const now = await numberIn(storeUrl, "select count(*)::float8 as n from telemetry");
    const isSame = now === last;
    last = now;
    return isSame;
  };
  await until(isStill, { timeoutMs: 600_000, everyMs: 2000 });
  report("a gateway and collector have taken this", gateway, before);
  return code === 0 ? [] : [`the import ended with ${code}`];
}
