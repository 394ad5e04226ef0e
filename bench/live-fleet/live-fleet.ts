import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type EtcdMember, startEtcd } from "../../dev/servers/etcd.ts";
import { startPostgres } from "../../dev/servers/postgres.ts";
import { until } from "../../dev/until.ts";
import { defaultClusterId } from "../../src/domain/default-names.ts";
import { readTargetsFile } from "../../src/pipeline/source/exporter/discovery/targets-file.ts";
import type { Target } from "../../src/pipeline/source/exporter/target.ts";

export interface LiveFleetOptions {
  readonly hosts: number;
  /** Time between two scrapes of a target, such as `15s`. */
  readonly interval: string;
  readonly dialect: string;
  readonly streamers: number;
  readonly collectors: number;
  readonly gateways: number;
  /** COLLECTOR_WORKERS of each collector. */
  readonly workers: number;
}

/** Exporters of 8 GPUs each, and the processes and servers that store and show their telemetry. */
export interface LiveFleet {
  readonly targets: readonly Target[];
  /** The first gateway. */
  readonly gatewayUrl: string;
  readonly etcd: { readonly url: string; readonly pid: number };
  readonly sql: postgres.Sql;
  /** The process ids of each part, by its name; those of a server's children are not listed. */
  readonly parts: readonly FleetPart[];
  /** What the pipeline's processes have logged so far, warnings and errors, each line with the name of its process. */
  logged(): readonly string[];
}

export interface FleetPart {
  readonly name: string;
  readonly pid: number;
}

const root = join(import.meta.dir, "../..");

/** Starts everything in the order in which nothing has to wait for another: a streamer that starts first would fill the queue.
 *  @param stops receives what stops the parts, in the order of their starts, also if a later part does not start
 *  @throws Error with the output of the part that does not start */
export async function startLiveFleet(options: LiveFleetOptions, stops: (() => Promise<unknown>)[]): Promise<LiveFleet> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-live-fleet-"));
  stops.push(() => rm(folder, { recursive: true, force: true }));
  const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  stops.push(() => Promise.all([etcd.stop(), database.stop()]));
  const targetsFile = join(folder, "targets.json");
  const exporters = await startExporters(options, targetsFile, stops);
  const env = {
    ...{ ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url, LOG_LEVEL: "warn" },
    ...{ DCGM_TARGETS_FILE: targetsFile, DCGM_INTERVAL: options.interval },
    COLLECTOR_WORKERS: String(options.workers),
  };
  const running = new Map<string, PipelineProcess>();
  const start = async (role: string, number: number): Promise<string> => {
    const process = startPipeline({ ...env, ROLE: role });
    stops.push(() => stopPipeline(process));
    running.set(`${role} ${number}`, process);
    return urlOf(process);
  };
  for (let number = 1; number <= options.collectors; number += 1) await start("collector", number);
  const gatewayUrl = await start("gateway", 1);
  for (let number = 2; number <= options.gateways; number += 1) await start("gateway", number);
  for (let number = 1; number <= options.streamers; number += 1) await start("streamer", number);
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  stops.push(() => sql.end());
  const [{ clientUrl, pid }] = etcd.members as [EtcdMember];
  return {
    etcd: { url: clientUrl, pid },
    targets: readTargetsFile({ path: targetsFile, text: readFileSync(targetsFile, "utf8") }, defaultClusterId),
    ...{ gatewayUrl, sql },
    parts: [
      { name: "exporters", pid: exporters },
      ...[...running].map(([name, { subprocess }]) => ({ name, pid: subprocess.pid })),
      ...etcd.members.map(({ pid }) => ({ name: "etcd", pid })),
      { name: "postgres", pid: database.pid },
    ],
    logged: () => [...running].flatMap(([name, process]) => linesOf(name, process.output())),
  };
}

/** @returns the process id */
async function startExporters(
  { hosts, dialect }: LiveFleetOptions,
  targetsFile: string,
  stops: (() => Promise<unknown>)[],
): Promise<number> {
  const fleet = ["--serve", "0", "--per", "path", "--hosts", String(hosts), "--gpus-per-host", "8"];
  const command = ["scripts/simulate.ts", ...fleet, "--dialect", dialect, "--targets-file", targetsFile];
  const exporters = Bun.spawn([process.execPath, ...command], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  stops.push(() => {
    exporters.kill();
    return exporters.exited;
  });
  await until(
    async () => {
      if (exporters.exitCode !== null) throw new Error("the simulated exporters have ended");
      return Bun.file(targetsFile).exists();
    },
    { timeoutMs: 60_000 },
  );
  return exporters.pid;
}

/** The lines of the log without their errors' stacks; the banner is not one. */
function linesOf(name: string, output: string): string[] {
  const lines = output.split("\n").filter((line) => line.startsWith('{"level":'));
  return lines.map((line) => {
    const { level, time, msg } = JSON.parse(line) as { level: string; time: number; msg: string };
    return `${new Date(time).toISOString()} ${level} ${name}: ${msg}`;
  });
}
