import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { startPostgres } from "../../dev/servers/postgres.ts";
import type { SqlClient } from "../../src/db/client.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";

/** The space that the samples of a file take, with all indexes and rollups. */
export interface SettledSize {
  readonly engine: string;
  readonly samples: number;
  /** Bytes a sample, as rows of `telemetry`. */
  readonly rows: number;
  /** Bytes a sample, settled. */
  readonly settled: number;
  /** Processor time of this process that settling took; of the embedded database, too. */
  readonly cpuSeconds: number;
}

const root = `${import.meta.dir}/../..`;

/** Imports a file with the program, settles it, and measures: on PostgreSQL, TimescaleDB and PGlite, one after the other.
 *  @throws Error if the program or a server fails */
export async function* settledSizes(path: string): AsyncGenerator<SettledSize> {
  for (const isPlain of [true, false]) {
    const server = await startPostgres();
    try {
      if (isPlain) await withoutTimescale(server.url);
      await importFile(path, { DATABASE_URL: server.url });
      const { client, close } = await openPostgresStore({ url: server.url, migrate: true });
      yield { engine: isPlain ? "PostgreSQL" : "TimescaleDB", ...(await measured(client)) };
      await close();
    } finally {
      await server.stop();
    }
  }
  const dataDir = await mkdtemp(join(tmpdir(), "telemetry-bench-"));
  try {
    await importFile(path, { DATA_DIR: dataDir });
    const { client, close } = await openPGliteStore({ dataDir });
    yield { engine: "PGlite", ...(await measured(client)) };
    await close();
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function withoutTimescale(url: string): Promise<void> {
  const sql = postgres(url, { max: 1 });
  await sql`alter database telemetry set timescaledb.disable_load = on`;
  await sql.end();
}

/** Resolves when the file is stored. */
async function importFile(path: string, database: Readonly<Record<string, string>>): Promise<void> {
  const env = { ...process.env, ...database, CSV_FILE: path, PORT: "0", LOG_LEVEL: "warn" };
  const child = Bun.spawn([process.execPath, "src/main.ts"], { cwd: root, env, stdout: "pipe", stderr: "inherit" });
  const decoder = new TextDecoder();
  let text = "";
  let isStored = false;
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true });
    if (isStored || !/samples\/s\s+[\d,]+/.test(text)) continue;
    isStored = true;
    child.kill("SIGTERM");
  }
  await child.exited;
  if (!isStored) throw new Error(`${path} was not imported: ${text}`);
}

async function measured(client: SqlClient): Promise<Omit<SettledSize, "engine">> {
  const numberOf = async (text: string): Promise<number> =>
    (await client.query<{ number: number }>(`select ${text}::float8 as number`))[0]?.number ?? NaN;
  const samples = await numberOf("(select sum(samples) from ingested_messages)");
  const rows = await numberOf(
    `(select sum(pg_total_relation_size(oid)) from pg_class where relkind = 'r'
       and (oid = 'telemetry'::regclass or oid in (select inhrelid from pg_inherits where inhparent = 'telemetry'::regclass)))`,
  );
  const before = process.cpuUsage();
  await new Settler(client).settle(Infinity);
  const { user, system } = process.cpuUsage(before);
  const left = await numberOf("(select count(*) from telemetry)");
  if (left > 0) throw new Error(`${left} records were not settled`);
  const settled = await numberOf("pg_total_relation_size('blocks') + pg_total_relation_size('rollups')");
  return { samples, rows: rows / samples, settled: settled / samples, cpuSeconds: (user + system) / 1e6 };
}
