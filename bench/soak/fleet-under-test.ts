import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { startEtcd } from "../../dev/servers/etcd.ts";
import { startPostgres } from "../../dev/servers/postgres.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { storePastHours } from "./past-hours.ts";

/** Figures of a moment, in bytes, by their names. */
export type Figures = ReadonlyMap<string, number>;

/** A running pipeline of the simulated fleet. */
export interface FleetUnderTest {
  /** The process ids of the parts, by their names. */
  readonly parts: ReadonlyMap<string, number>;
  /** Disk, tables and etcd's database. */
  figures(): Promise<Figures>;
}

export interface FleetOptions {
  readonly hosts: number;
  readonly intervalMs: number;
  /** DATA_MAX_GIB of the embedded store. */
  readonly maxGib: string;
  /** Hours of history that the store begins with. */
  readonly pastHours: number;
  /** SETTLE_AFTER_MINUTES. */
  readonly settleAfterMinutes: number;
}

/** What stops the parts, in the order of their starts. */
export type Stops = (() => Promise<unknown>)[];

const fleetEnv = ({ hosts, intervalMs, settleAfterMinutes }: FleetOptions) => ({
  ...{ SIM_HOSTS: String(hosts), SIM_GPUS_PER_HOST: "8", SIM_INTERVAL: `${intervalMs}ms`, LOG_LEVEL: "warn" },
  SETTLE_AFTER_MINUTES: String(settleAfterMinutes),
});

/** One process with everything in it. */
export async function embeddedFleet(options: FleetOptions, stops: Stops): Promise<FleetUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-soak-"));
  stops.push(() => rm(folder, { recursive: true, force: true }));
  if (options.pastHours > 0) {
    const opened = await openPGliteStore({ dataDir: folder });
    await storePastHours(opened, options);
    // the files of both, of rows and of blocks, would pass the limit before it begins
    await opened.client.query("vacuum full telemetry");
    await opened.close();
  }
  const pipeline = startPipeline({ ...fleetEnv(options), DATA_DIR: folder, DATA_MAX_GIB: options.maxGib });
  stops.push(() => stopPipeline(pipeline));
  const url = await urlOf(pipeline, 300_000);
  return {
    parts: new Map([["all in one", pipeline.subprocess.pid]]),
    figures: async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return new Map([
        ["folder", await folderBytes(folder)],
        ...seriesOf(metrics, "telemetry_store_files_bytes", "part").filter(([name]) => name === "log"),
        ...seriesOf(metrics, "telemetry_store_table_bytes", "table"),
      ]);
    },
  };
}

/** A streamer, a collector and a gateway with etcd and TimescaleDB. */
export async function distributedFleet(options: FleetOptions, stops: Stops): Promise<FleetUnderTest> {
  const [etcd, database] = await Promise.all([startEtcd({ members: 1 }), startPostgres()]);
  stops.push(() => Promise.all([etcd.stop(), database.stop()]));
  if (options.pastHours > 0) {
    const opened = await openPostgresStore({ url: database.url, migrate: true });
    await storePastHours(opened, options);
    await opened.client.query("vacuum analyze");
    await opened.close();
  }
  const env = { ...fleetEnv(options), ETCD_ENDPOINTS: etcd.endpoints.join(","), DATABASE_URL: database.url };
  const parts = new Map<string, number>();
  let url = "";
  for (const role of ["collector", "gateway", "streamer"]) {
    const pipeline = startPipeline({ ...env, ROLE: role });
    stops.push(() => stopPipeline(pipeline));
    parts.set(role, pipeline.subprocess.pid);
    url = await urlOf(pipeline, 300_000);
  }
  for (const { name, pid } of etcd.members) parts.set(name, pid);
  parts.set("postgres", database.pid);
  const sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  stops.push(() => sql.end());
  return {
    parts,
    figures: async () => {
      const [size] = await sql<[{ bytes: number; log: number }]>`
        select pg_database_size(current_database())::float8 as bytes,
          (select coalesce(sum(size), 0)::float8 from pg_ls_waldir()) as log`;
      const tables = await sql<{ name: string; bytes: number }[]>`
        select c.relname as name, (pg_total_relation_size(c.oid) + coalesce((
          select sum(pg_total_relation_size(i.inhrelid)) from pg_inherits i where i.inhparent = c.oid), 0))::float8 as bytes
        from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`;
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return new Map([
        ...([
          ["database", size.bytes],
          ["log", size.log],
        ] as const),
        ...seriesOf(metrics, "telemetry_etcd_database_bytes", "part").map(
          ([part, bytes]) => [`etcd ${part}`, bytes] as const,
        ),
        ...tables.map(({ name, bytes }) => [name, bytes] as const),
      ]);
    },
  };
}

async function folderBytes(folder: string): Promise<number> {
  const text = await new Response(Bun.spawn(["du", "-s", "--block-size=1", folder]).stdout).text();
  return parseInt(text, 10);
}

/** The series of a metric with one label. */
function seriesOf(exposition: string, metric: string, label: string): [string, number][] {
  const series = new RegExp(`^${metric}\\{${label}="([^"]*)"\\} (\\S+)$`, "gm");
  return [...exposition.matchAll(series)].map(([, name = "", value]) => [name, Number(value)]);
}
