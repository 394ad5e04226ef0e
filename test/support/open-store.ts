import { mkdir } from "node:fs/promises";
import { PGlite } from "@electric-sql/pglite";
import { drizzle } from "drizzle-orm/pglite";
import { migrate } from "drizzle-orm/pglite/migrator";
import { migrationsFolder } from "../../src/db/migrations.ts";
import { PGliteClient } from "../../src/db/pglite-client.ts";
import { PGliteDatabase } from "../../src/db/pglite-database.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";

let emptyStore: Promise<Blob> | undefined;

/** Opens a real store in memory. Each is a copy of one that was made once: making a database takes six times as long. */
export async function openMemoryStore(): Promise<OpenStore> {
  return openPGliteStore({ memory: await (emptyStore ??= makeEmptyStore()) });
}

/** Opens a database within this process.
 *  @param dataDir a directory, or `memory://` */
export async function openPGliteClient(dataDir: string): Promise<PGliteClient> {
  return PGliteClient.on(await PGliteDatabase.open(dataDir), dataDir === "memory://" ? undefined : dataDir);
}

/** Makes the folder of a process's embedded store, so that the process need not make a database. */
export async function makeDataDir(dataDir: string): Promise<void> {
  const loadDataDir = await (emptyStore ??= makeEmptyStore());
  await mkdir(dataDir, { recursive: true });
  await (await PGlite.create(`${dataDir}/pglite`, { loadDataDir })).close();
}

/** An empty database of the newest schema, as PGlite dumps it. */
async function makeEmptyStore(): Promise<Blob> {
  const database = await PGlite.create("memory://");
  await migrate(drizzle(database), { migrationsFolder });
  const content = await database.dumpDataDir("none");
  await database.close();
  return content;
}
