import { checkTableFiles } from "../../../db/database-files.ts";
import { type DataDir, openDataDir } from "../../../db/data-dir.ts";
import { detectEngine } from "../../../db/engine.ts";
import { PGliteClient } from "../../../db/pglite-client.ts";
import { PGliteDatabase } from "../../../db/pglite-database.ts";
import { PGliteProcess } from "../../../db/pglite-process.ts";
import { systemClock } from "../../../kit/clock.ts";
import type { OpenStore } from "../open-store.ts";
import { lightQuestions, openSqlDrivers } from "./open-sql-drivers.ts";

/** An embedded store in a directory. */
export interface EmbeddedStoreOptions {
  readonly dataDir: string;
  /** The time limit of a statement of a query; absent: the limit of other statements. */
  readonly queryTimeoutSeconds?: number;
  /** Receives a sentence for people; absent: it is not reported. */
  readonly onNotice?: (notice: string) => void;
}

/** Opens the embedded store: in a directory, which is then locked for this process, with a process of its own; or in memory, within
 *  this process.
 *  @param where a store in memory begins with the content of a dump of PGlite
 *  @throws DataDirUnusable, StoreUnavailable, SchemaAhead */
export async function openPGliteStore(where: EmbeddedStoreOptions | { readonly memory: Blob }): Promise<OpenStore> {
  if ("memory" in where) {
    const client = PGliteClient.on(await PGliteDatabase.open("memory://", where.memory), undefined);
    return { description: "in memory", ...(await driversOn(client, undefined)), close: () => client.close() };
  }
  const dataDir = await openDataDir(where.dataDir);
  if (dataDir.notice !== undefined) where.onNotice?.(dataDir.notice);
  try {
    const client = await openClient(dataDir, where);
    return {
      description: where.dataDir,
      ...(await driversOn(client, where.queryTimeoutSeconds)),
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

async function openClient(
  { databaseDir, lock }: DataDir,
  { onNotice = () => undefined }: EmbeddedStoreOptions,
): Promise<PGliteClient> {
  const { descriptor: lockDescriptor } = lock;
  const session = await PGliteProcess.open({ databaseDir, lockDescriptor, onNotice });
  const client = PGliteClient.on(session, databaseDir);
  try {
    await checkTableFiles(client, databaseDir);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  }
}

async function driversOn(
  client: PGliteClient,
  queryTimeoutSeconds: number | undefined,
): Promise<Omit<OpenStore, "description" | "close">> {
  const engine = await detectEngine(client);
  const limitMs = queryTimeoutSeconds === undefined ? undefined : queryTimeoutSeconds * 1000;
  return {
    engine: () => engine.description,
    ...openSqlDrivers({
      writer: client,
      reader: client.forQuestions("light", limitMs),
      heavyReader: client.forQuestions("heavy", limitMs),
      questionLimitMs: limitMs,
      // it runs one statement at a time, so a light question waits for at most one heavy statement
      questionsAtATime: { light: lightQuestions, heavy: 1 },
      // a statement would wait for the one under way
      probe: () => client.probe(),
      engine: () => engine,
      place: "the embedded store",
      clock: systemClock,
      // no other process opens the store meanwhile
      onChange: () => undefined,
    }),
  };
}
