import postgres from "postgres";
import { startEtcd } from "../../dev/servers/etcd.ts";
import { startPostgres } from "../../dev/servers/postgres.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { fillLog } from "../support/fill-log.ts";
import { type Usage, usageOf } from "../support/process-usage.ts";
import type { Input } from "./inputs.ts";
import { until, type UntilOptions } from "../../dev/until.ts";

/** The time that an import took, and the resources that it used. */
export interface ImportResult {
  readonly seconds: number;
  /** The usage of all processes, including servers. Processor time before the import is not included. */
  readonly all: Usage;
  /** The usage of the importing program's own processes, each since its start. */
  readonly own: Usage;
  readonly bytesPerSample: number;
  /** The part of the processor time that settling took; 0: the program keeps what it stores. */
  readonly settlingCpuSeconds: number;
}

const root = `${import.meta.dir}/../..`;
/** The time limit and the interval of the checks during an import, by our pipeline or by VictoriaMetrics. */
export const untilStored: UntilOptions = { timeoutMs: 300_000, everyMs: 50 };

/** Imports a file through a streamer, etcd and collectors into TimescaleDB, and settles it. etcd and TimescaleDB sync their writes.
 *  The time is measured from the streamer's start until every sample is stored; the processor time has the settling in it.
 *  @throws Error if a server does not start, or if the schema or samples are still missing after five minutes */
export async function importByPipeline({ path, samples }: Input, collectors: number): Promise<ImportResult> {
  const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  const env = { ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url, PORT: "0", LOG_LEVEL: "warn" };
  const start = (role: string, more = {}) =>
    Bun.spawn([process.execPath, "src/main.ts"], {
      cwd: root,
      env: { ...process.env, ...env, ROLE: role, ...more },
      stdout: "ignore",
      stderr: "inherit",
    });
  const processes = Array.from({ length: collectors }, () => start("collector"));
  try {
    await until(
      async () => (await sql`select to_regclass('gpu_workloads') as relation`)[0]?.["relation"] !== null,
      untilStored,
    );
    // the collectors' start is not measured
    await Promise.all([Bun.sleep(1000), fillLog(sql, samples)]);
    const pids = (): number[] => processes.map(({ pid }) => pid);
    const servers = [database.pid, ...etcd.members.map(({ pid }) => pid)];
    const before = usageOf([...pids(), ...servers]);
    const started = performance.now();
    processes.push(start("streamer", { CSV_FILE: path }));
    await until(async () => {
      const [sum] = await sql`select coalesce(sum(samples), 0)::float8 as samples from ingested_messages`;
      return sum?.["samples"] === samples;
    }, untilStored);
    const seconds = (performance.now() - started) / 1000;
    const stored = usageOf([...pids(), ...servers]);
    const own = usageOf(pids());
    const settlingHere = await settle(database.url);
    const all = usageOf([...pids(), ...servers]);
    const [size] =
      await sql`select (pg_total_relation_size('blocks') + pg_total_relation_size('rollups'))::float8 as bytes`;
    return {
      seconds,
      all: { ...all, cpuSeconds: all.cpuSeconds - before.cpuSeconds + settlingHere },
      own,
      bytesPerSample: Number(size?.["bytes"]) / samples,
      settlingCpuSeconds: all.cpuSeconds - stored.cpuSeconds + settlingHere,
    };
  } finally {
    for (const child of processes) child.kill();
    await Promise.all(processes.map(({ exited }) => exited));
    await sql.end();
    await Promise.all([etcd.stop(), database.stop()]);
  }
}

/** Settles all records, in this process. @returns the processor seconds of this process that it took */
async function settle(url: string): Promise<number> {
  const { client, close } = await openPostgresStore({ url, migrate: true });
  const before = process.cpuUsage();
  await new Settler(client).settle(Infinity);
  const { user, system } = process.cpuUsage(before);
  await close();
  return (user + system) / 1e6;
}
