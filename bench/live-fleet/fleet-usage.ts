import type postgres from "postgres";
import { grouped } from "../support/output.ts";
import { machineCpuSeconds, type Usage, usageOf } from "../support/process-usage.ts";
import type { FleetPart } from "./live-fleet.ts";

/** What a fleet's parts have used until a moment. */
export interface FleetUsage {
  readonly atMs: number;
  /** By the names of the parts. */
  readonly parts: ReadonlyMap<string, Usage>;
  /** Of all processes of the machine. */
  readonly machineCpuSeconds: number;
  readonly disk: DiskUsage;
}

/** Bytes of the database. */
export interface DiskUsage {
  /** The table of telemetry with its indexes. */
  readonly telemetryBytes: number;
  readonly databaseBytes: number;
  /** What was ever written to the write-ahead log. */
  readonly walBytes: number;
}

const benchName = "this bench";

export async function fleetUsage(sql: postgres.Sql, parts: readonly FleetPart[]): Promise<FleetUsage> {
  const [disk] = await sql<[DiskUsage]>`
    select hypertable_size('telemetry')::float8 as "telemetryBytes",
      pg_database_size(current_database())::float8 as "databaseBytes",
      pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as "walBytes"`;
  return {
    atMs: performance.now(),
    parts: new Map([...parts.map(({ name, pid }) => [name, usageOf([pid])] as const), [benchName, usageOfBench()]]),
    machineCpuSeconds: machineCpuSeconds(),
    disk,
  };
}

/** The fleet's parts are its descendants. */
function usageOfBench(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, peakRssBytes: process.resourceUsage().maxRSS * 1024 };
}

/** A table of what each part has used from one moment to another: share of a core, memory. */
export function usageTable(before: FleetUsage, after: FleetUsage): string[] {
  const seconds = (after.atMs - before.atMs) / 1000;
  let ours = 0;
  const lines = [...after.parts].map(([name, usage]) => {
    const cores = (usage.cpuSeconds - (before.parts.get(name)?.cpuSeconds ?? 0)) / seconds;
    ours += cores;
    return row(name, cores, usage.peakRssBytes);
  });
  const all = (after.machineCpuSeconds - before.machineCpuSeconds) / seconds;
  return [
    ["".padEnd(nameWidth), "cores".padStart(7), "peak MiB".padStart(10)].join(""),
    ...lines,
    row("in sum", ours),
    row("other processes of the machine", Math.max(0, all - ours)),
  ];
}

/** What the database has grown by. */
export function diskText(before: DiskUsage, after: DiskUsage, samples: number): string {
  const grown = (of: keyof DiskUsage): number => after[of] - before[of];
  const perSample = (bytes: number): string => (bytes / samples).toFixed(1);
  return (
    `database: grown by ${grouped(grown("databaseBytes") / mebibyte)} MiB; a sample takes ${perSample(grown("telemetryBytes"))} bytes of ` +
    `the table of telemetry, and ${perSample(grown("walBytes"))} of the write-ahead log (${grouped(grown("walBytes") / mebibyte)} MiB)`
  );
}

const mebibyte = 2 ** 20;
const nameWidth = 32;

function row(name: string, cores: number, peakRssBytes?: number): string {
  const memory = peakRssBytes === undefined ? "" : grouped(peakRssBytes / mebibyte).padStart(10);
  return name.padEnd(nameWidth) + cores.toFixed(3).padStart(7) + memory;
}
