import type { SqlExecutor } from "./client.ts";
import { presentJournal, usualJournal } from "./migrations.ts";

/** A database's engine and features, as detected. */
export interface DatabaseEngine {
  /** A description for people, such as `TimescaleDB 2.19.3 (apache licence) on PostgreSQL 17.6; hypertable`. */
  readonly description: string;
  /** True if the table `telemetry` is divided into chunks by time. */
  readonly isHypertable: boolean;
  /** The schema of TimescaleDB's functions; undefined if TimescaleDB is not loaded. */
  readonly timescaleSchema: string | undefined;
  /** The table of the migrations, as SQL names it. */
  readonly journal: string;
}

interface ServerRow {
  readonly version: string;
  readonly build: string;
  readonly license: string | null;
  readonly timescale: string | null;
  readonly schema: string | null;
  readonly journal: string | null;
}

const serverText = `
select current_setting('server_version') as version, version() as build,
  current_setting('timescaledb.license', true) as license, e.extversion as timescale, n.nspname as schema,
  ${presentJournal} as journal
from (select 1) one
left join pg_extension e on e.extname = 'timescaledb' left join pg_namespace n on n.oid = e.extnamespace`;

const timescaleText = `
select exists (select from timescaledb_information.hypertables where hypertable_name = 'telemetry') as "isHypertable"`;

/** Detects the database's engine and features. All migrations must have been applied.
 *  @throws the errors of `executor`; Error if the query for the server's settings returns no row */
export async function detectEngine(executor: SqlExecutor): Promise<DatabaseEngine> {
  const [server] = await executor.query<ServerRow>(serverText);
  if (server === undefined) throw new Error("selecting the server's settings returned no row");
  const { timescale, license, schema } = server;
  // with timescaledb.disable_load, the extension may exist without its settings
  const isLoaded = timescale !== null && license !== null;
  const [storage] = isLoaded ? await executor.query<Pick<DatabaseEngine, "isHypertable">>(timescaleText) : [];
  const isHypertable = storage?.isHypertable === true;
  const facts = isLoaded ? [isHypertable ? "hypertable" : "plain table"] : [];
  return {
    isHypertable,
    description: [serverName(server, isLoaded), ...facts].join("; "),
    timescaleSchema: isLoaded ? (schema ?? undefined) : undefined,
    journal: server.journal ?? usualJournal,
  };
}

function serverName({ version, build, timescale, license }: ServerRow, hasTimescale: boolean): string {
  const postgres = `PostgreSQL ${version.split(" ")[0]}`;
  if (hasTimescale) return `TimescaleDB ${timescale} (${license} licence) on ${postgres}`;
  return /emscripten|wasm/i.test(build) ? `PGlite, ${postgres}` : postgres;
}
