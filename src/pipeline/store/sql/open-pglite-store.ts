import { openDataDir } from "../../../db/data-dir.ts";
import { checkTableFiles } from "../../../db/database-files.ts";
import type { SqlClient } from "../../../db/client.ts";
import { detectEngine } from "../../../db/engine.ts";
import { openPGliteClient } from "../../../db/pglite-client.ts";
import { systemClock } from "../../../kit/clock.ts";
import type { OpenStore } from "../open-store.ts";
import { lightQuestions, openSqlDrivers } from "./open-sql-drivers.ts";

/** Opens the embedded store, in memory or in a directory, which is then locked for this process.
 *  @param where a store in memory begins with the content of a dump of PGlite; `onNotice` receives a sentence for people
 *  @throws DataDirUnusable, StoreUnavailable, SchemaAhead */
export async function openPGliteStore(
  where: { dataDir: string; onNotice?: (notice: string) => void } | { memory: Blob },
): Promise<OpenStore> {
  if ("memory" in where) {
    const client = await openPGliteClient("memory://", where.memory);
    return { description: "in memory", ...(await driversOn(client)), close: () => client.close() };
  }
  const dataDir = await openDataDir(where.dataDir);
  if (dataDir.notice !== undefined) where.onNotice?.(dataDir.notice);
  try {
    const client = await openWhole(dataDir.databaseDir);
    return {
      description: where.dataDir,
      ...(await driversOn(client)),
      close: async () => {
        await client.close();
        dataDir.lock.release();
      },
    };
  } catch (error) {
    dataDir.lock.release();
    throw error;
  }
}

async function openWhole(databaseDir: string): Promise<SqlClient> {
  const client = await openPGliteClient(databaseDir);
  try {
    await checkTableFiles(client, databaseDir);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function driversOn(client: SqlClient): Promise<Omit<OpenStore, "description" | "close">> {
  const engine = await detectEngine(client);
  return {
    engine: () => engine.description,
    ...openSqlDrivers({
      writer: client,
      reader: client,
      heavyReader: client,
      // it runs one statement at a time, so a light question waits for at most one heavy statement
      questionsAtATime: { light: lightQuestions, heavy: 1 },
      engine: () => engine,
      place: "the embedded store",
      clock: systemClock,
      // no other process opens the store meanwhile
      onChange: () => undefined,
    }),
  };
}
