import type { SqlExecutor } from "./client.ts";

/** What the database turned out to be: looked at, never assumed. */
export interface DatabaseEngine {
  /** For people, e.g. `TimescaleDB 2.19.3 (apache licence) on PostgreSQL 17.6; hypertable; rollups are views`. */
  readonly description: string;
  /** Telemetry lies in chunks of time. */
  readonly isHypertable: boolean;
  /** telemetry_1m and telemetry_1h are kept by the database (continuous aggregates); else they are views. */
  readonly hasMaterializedRollups: boolean;
  /** The schema that TimescaleDB's functions are in; undefined without TimescaleDB. */
  readonly timescaleSchema: string | undefined;
}

interface ServerRow {
  readonly version: string;
  readonly build: string;
  readonly license: string | null;
  readonly timescale: string | null;
  readonly schema: string | null;
}

const serverText = `
select current_setting('server_version') as version, version() as build,
  current_setting('timescaledb.license', true) as license, e.extversion as timescale, n.nspname as schema
from (select 1) one
left join pg_extension e on e.extname = 'timescaledb' left join pg_namespace n on n.oid = e.extnamespace`;

const timescaleText = `
select exists (select from timescaledb_information.hypertables where hypertable_name = 'telemetry') as "isHypertable",
  (select count(*) = 2 from timescaledb_information.continuous_aggregates
   where view_name in ('telemetry_1m', 'telemetry_1h')) as "hasMaterializedRollups"`;

/** Finds out what the migrations have made of the database.
 *  @throws StoreUnavailable */
export async function detectEngine(executor: SqlExecutor): Promise<DatabaseEngine> {
  const [server] = await executor.query<ServerRow>(serverText);
  if (server === undefined) throw new Error("a select of settings gave no row");
  const plain = { isHypertable: false, hasMaterializedRollups: false };
  const { timescale, license, schema } = server;
  // with timescaledb.disable_load the extension may be there and its settings not
  const isLoaded = timescale !== null && license !== null;
  const [found = plain] = isLoaded ? await executor.query<typeof plain>(timescaleText) : [];
  const storage = [
    ...(isLoaded ? [found.isHypertable ? "hypertable" : "plain table"] : []),
    found.hasMaterializedRollups ? "rollups are continuous aggregates" : "rollups are views",
  ];
  return {
    ...found,
    description: [serverName(server, isLoaded), ...storage].join("; "),
    timescaleSchema: isLoaded ? (schema ?? undefined) : undefined,
  };
}

function serverName({ version, build, timescale, license }: ServerRow, hasTimescale: boolean): string {
  const postgres = `PostgreSQL ${version.split(" ")[0]}`;
  if (hasTimescale) return `TimescaleDB ${timescale} (${license} licence) on ${postgres}`;
  return /emscripten|wasm/i.test(build) ? `PGlite, ${postgres}` : postgres;
}
