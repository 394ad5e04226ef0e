import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import postgres from "postgres";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate } from "drizzle-orm/postgres-js/migrator";

const migrations = join(import.meta.dir, "../../drizzle");

/** Executes a dump in an empty database without TimescaleDB. */
export async function restoreDump(url: string, dump: string): Promise<void> {
  const sql = new SQL(url, { max: 1 });
  try {
    await sql.unsafe(dump);
  } finally {
    await sql.close();
  }
}

/** Creates the schema that a version with the first `count` migrations creates on this server, and executes the dump's inserts.
 *  A dump of plain PostgreSQL has no hypertables. */
export async function restoreRows(url: string, dump: string, count: number): Promise<void> {
  await migrateFirst(url, count);
  const statements = dump.match(/^(INSERT INTO public\.[^]*?|SELECT pg_catalog\.setval\('public[^]*?);\n/gm) ?? [];
  await restoreDump(url, statements.join(""));
}

async function migrateFirst(url: string, count: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-migrations-"));
  const client = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await cp(migrations, folder, { recursive: true });
    const journal = Bun.file(join(folder, "meta/_journal.json"));
    const { entries, ...rest } = (await journal.json()) as { entries: unknown[] };
    await journal.write(JSON.stringify({ ...rest, entries: entries.slice(0, count) }));
    await migrate(drizzle(client), { migrationsFolder: folder });
  } finally {
    await client.end();
    await rm(folder, { recursive: true, force: true });
  }
}
