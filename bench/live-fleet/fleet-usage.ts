import { grouped } from "../support/output.ts";
import { machineCpuSeconds, memoryBytes, type Usage, usageOf } from "../support/process-usage.ts";
import type { LiveFleet } from "./live-fleet.ts";

/** What a fleet's parts have used until a moment. */
export interface FleetUsage {
  readonly atMs: number;
  /** By the names of the parts. */
  readonly parts: ReadonlyMap<string, PartUsage>;
  /** Of all processes of the machine. */
  readonly machineCpuSeconds: number;
  readonly disk: DiskUsage;
}

/** `memoryBytes` is what all processes of the part have at the moment. */
interface PartUsage extends Usage {
  readonly memoryBytes: number;
}

/** Bytes of the database and of etcd. */
export interface DiskUsage {
  /** The table of telemetry with its indexes. */
  readonly telemetryBytes: number;
  readonly databaseBytes: number;
  /** What was ever written to the write-ahead log. */
  readonly walBytes: number;
  /** The files of the write-ahead log. */
  readonly walFilesBytes: number;
  /** The file of etcd's database. */
  readonly etcdFileBytes: number;
  /** All files of etcd, its write-ahead log and snapshots included. */
  readonly etcdBytes: number;
  /** What clients have ever sent to etcd: messages, positions, newest records. */
  readonly etcdReceivedBytes: number;
}

const benchName = "this bench";

export async function fleetUsage({ sql, parts, etcd }: LiveFleet): Promise<FleetUsage> {
  const [disk] = await sql<[Omit<DiskUsage, `etcd${string}`>]>`
    select hypertable_size('telemetry')::float8 as "telemetryBytes",
      pg_database_size(current_database())::float8 as "databaseBytes",
      pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as "walBytes",
      (select sum(size)::float8 from pg_ls_waldir()) as "walFilesBytes"`;
  const metrics = await (await fetch(`${etcd.url}/metrics`)).text();
  const figure = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1]);
  const ofPart = (pid: number): PartUsage => ({ ...usageOf([pid]), memoryBytes: memoryBytes([pid]) });
  return {
    atMs: performance.now(),
    parts: new Map([...parts.map(({ name, pid }) => [name, ofPart(pid)] as const), [benchName, usageOfBench()]]),
    machineCpuSeconds: machineCpuSeconds(),
    disk: {
      ...disk,
      etcdFileBytes: figure("etcd_mvcc_db_total_size_in_bytes"),
      etcdBytes: await folderBytes(etcd.pid),
      etcdReceivedBytes: figure("etcd_network_client_grpc_received_bytes_total"),
    },
  };
}

/** What etcd has in the folder that it sees as /srv. */
async function folderBytes(pid: number): Promise<number> {
  const text = await new Response(Bun.spawn(["du", "-s", "--block-size=1", `/proc/${pid}/root/srv/`]).stdout).text();
  return parseInt(text, 10);
}

/** The fleet's parts are its descendants. */
function usageOfBench(): PartUsage {
  const { user, system } = process.cpuUsage();
  const { rss } = process.memoryUsage();
  return { cpuSeconds: (user + system) / 1e6, peakRssBytes: process.resourceUsage().maxRSS * 1024, memoryBytes: rss };
}

/** A table of what each part has used from one moment to another: processor time, share of a core, memory. */
export function usageTable(before: FleetUsage, after: FleetUsage): string[] {
  const seconds = (after.atMs - before.atMs) / 1000;
  let ours = 0;
  const lines = [...after.parts].map(([name, usage]) => {
    const cpuSeconds = usage.cpuSeconds - (before.parts.get(name)?.cpuSeconds ?? 0);
    ours += cpuSeconds;
    return row(name, { cpuSeconds, seconds, usage });
  });
  const all = after.machineCpuSeconds - before.machineCpuSeconds;
  const titles = ["CPU s".padStart(9), "cores".padStart(8), "MiB".padStart(8), "peak MiB".padStart(10)];
  return [
    ["".padEnd(nameWidth), ...titles].join(""),
    ...lines,
    row("in sum", { cpuSeconds: ours, seconds }),
    row("other processes of the machine", { cpuSeconds: Math.max(0, all - ours), seconds }),
  ];
}

/** What the database has grown by. */
export function diskText(before: DiskUsage, after: DiskUsage, samples: number): string {
  const grown = (of: keyof DiskUsage): number => after[of] - before[of];
  const perSample = (bytes: number): string => (bytes / samples).toFixed(1);
  return (
    `database: grown by ${grouped(grown("databaseBytes") / mebibyte)} MiB; a sample takes ${perSample(grown("telemetryBytes"))} bytes of ` +
    `the table of telemetry, and ${perSample(grown("walBytes"))} of the write-ahead log (${grouped(grown("walBytes") / mebibyte)} MiB ` +
    `written, its files take ${grouped(after.walFilesBytes / mebibyte)} MiB)`
  );
}

/** What etcd has on its disk, and what it was sent. */
export function etcdText(before: DiskUsage, after: DiskUsage, scrapes: number): string {
  const mebibytes = (of: "etcdFileBytes" | "etcdBytes"): string =>
    [before, after].map((at) => grouped(at[of] / mebibyte)).join(" to ");
  const received = after.etcdReceivedBytes - before.etcdReceivedBytes;
  return (
    `etcd: its database from ${mebibytes("etcdFileBytes")} MiB, with its write-ahead log and snapshots ${mebibytes("etcdBytes")} MiB; ` +
    `${grouped(received / mebibyte)} MiB received, ${(received / 1024 / scrapes).toFixed(1)} KiB a scrape`
  );
}

const mebibyte = 2 ** 20;
const nameWidth = 32;

interface Row {
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly usage?: PartUsage;
}

function row(name: string, { cpuSeconds, seconds, usage }: Row): string {
  const memory = usage === undefined ? [] : [mebibytesOf(usage.memoryBytes, 8), mebibytesOf(usage.peakRssBytes, 10)];
  const processor = [cpuSeconds.toFixed(1).padStart(9), (cpuSeconds / seconds).toFixed(3).padStart(8)];
  return [name.padEnd(nameWidth), ...processor, ...memory].join("");
}

const mebibytesOf = (bytes: number, width: number): string => grouped(bytes / mebibyte).padStart(width);
