import { join } from "node:path";
import postgres from "postgres";
import { startEtcd } from "../../dev/servers/etcd.ts";
import { startPostgres } from "../../dev/servers/postgres.ts";
import { until } from "../../dev/until.ts";
import type { Input } from "../end-to-end/inputs.ts";
import { fillLog } from "../support/fill-log.ts";
import { usageOf } from "../support/process-usage.ts";
import { stageSeconds } from "./stages.ts";
import { noSeconds, sumOf, threadSecondsOf, usedBetween } from "./threads.ts";

/** Processor time of one of our processes. */
export interface ProcessSeconds {
  /** Until the process listens. */
  readonly startUp: number;
  /** Since then. */
  readonly working: number;
  /** Parts of `working`, by stage; they sum up to it. */
  readonly stages: ReadonlyMap<string, number>;
}

/** Processor time of an import, in seconds. */
export interface ImportSeconds {
  readonly streamer: ProcessSeconds;
  readonly collector: ProcessSeconds;
  readonly database: number;
  readonly etcd: number;
}

const root = `${import.meta.dir}/../..`;
const untilStored = { timeoutMs: 600_000, everyMs: 50 };

/** Imports a file through a streamer, etcd and a collector into TimescaleDB, both processes under Bun's profiler, which takes some
 *  time of its own.
 *  @param folder for the profiles
 *  @throws Error if a server or process does not start, or if samples are still missing after ten minutes */
export async function profiledImport({ path, samples }: Input, folder: string): Promise<ImportSeconds> {
  const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  const env = { ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url, PORT: "0", LOG_LEVEL: "warn" };
  const etcdPids = etcd.members.map(({ pid }) => pid);
  const started: Measured[] = [];
  const start = async (role: string, more = {}): Promise<Measured> => {
    const measured = await Measured.start(role, { env: { ...env, ...more }, folder });
    started.push(measured);
    return measured;
  };
  try {
    const collector = await start("collector");
    await fillLog(sql, samples);
    const before = { database: usageOf([database.pid]).cpuSeconds, etcd: usageOf(etcdPids).cpuSeconds };
    const streamer = await start("streamer", { CSV_FILE: path });
    await until(async () => {
      const [sum] = await sql`select coalesce(sum(samples), 0)::float8 as samples from ingested_messages`;
      return sum?.["samples"] === samples;
    }, untilStored);
    return {
      database: usageOf([database.pid]).cpuSeconds - before.database,
      etcd: usageOf(etcdPids).cpuSeconds - before.etcd,
      streamer: await streamer.end(),
      collector: await collector.end(),
    };
  } finally {
    for (const { child } of started) child.kill();
    await Promise.all(started.map(({ child }) => child.exited));
    await sql.end();
    await Promise.all([etcd.stop(), database.stop()]);
  }
}

/** One of our processes, under the profiler. */
class Measured {
  private startUp = noSeconds;
  private readySinceMs = Infinity;

  private constructor(
    readonly child: Bun.Subprocess<"ignore", "pipe", "inherit">,
    private readonly profile: string,
  ) {}

  /** Resolves when the process listens. */
  static async start(
    role: string,
    { env, folder }: { readonly env: Record<string, string>; readonly folder: string },
  ): Promise<Measured> {
    const name = `${role}.cpuprofile`;
    const profiler = ["--cpu-prof", `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}`];
    const child = Bun.spawn([process.execPath, ...profiler, "src/main.ts"], {
      cwd: root,
      env: { ...process.env, ...env, ROLE: role },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const measured = new Measured(child, join(folder, name));
    await measured.listening();
    return measured;
  }

  /** Ends the process. @returns what it has used */
  async end(): Promise<ProcessSeconds> {
    const used = usedBetween(this.startUp, threadSecondsOf(this.child.pid));
    const { main, compiler, garbage, others } = used;
    this.child.kill();
    await this.child.exited;
    const stages = new Map([...stageSeconds(this.profile, this.readySinceMs)].sort(([, a], [, b]) => b - a));
    const inStages = [...stages.values()].reduce((sum, seconds) => sum + seconds, 0);
    // samples count the time on the clock: beside other programs that is more than the thread has used
    const share = Math.min(1, main / inStages);
    for (const [stage, seconds] of stages) stages.set(stage, seconds * share);
    stages.set("outside JavaScript", main - inStages * share);
    stages.set("compiler", compiler).set("garbage collector", garbage).set("other threads", others);
    return { startUp: sumOf(this.startUp), working: sumOf(used), stages };
  }

  private async listening(): Promise<void> {
    const printed = Promise.withResolvers<undefined>();
    // what it prints later is not needed, but must not fill the pipe
    const reading = async (): Promise<void> => {
      for await (const bytes of this.child.stdout) if (bytes.length > 0) printed.resolve(undefined);
      printed.reject(new Error("a process ended before it listened"));
    };
    void reading();
    await printed.promise;
    this.startUp = threadSecondsOf(this.child.pid);
    this.readySinceMs = Date.now();
  }
}
