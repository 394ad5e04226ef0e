import { emptyStoreFile } from "../../dev/empty-store.ts";
import { PGliteClient } from "../../src/db/pglite-client.ts";
import { PGliteDatabase } from "../../src/db/pglite-database.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";

/** Opens a real store in memory. */
export async function openMemoryStore(): Promise<OpenStore> {
  return openPGliteStore({ memory: Bun.file(await emptyStoreFile()) });
}

/** Opens a database within this process.
 *  @param dataDir a directory, or `memory://` */
export async function openPGliteClient(dataDir: string): Promise<PGliteClient> {
  return PGliteClient.on(await PGliteDatabase.open(dataDir), dataDir === "memory://" ? undefined : dataDir);
}
