import { checkTableFiles } from "../../../db/database-files.ts";
import { type DataDir, openDataDir } from "../../../db/data-dir.ts";
import { detectEngine } from "../../../db/engine.ts";
import { PGliteClient } from "../../../db/pglite-client.ts";
import { PGliteDatabase } from "../../../db/pglite-database.ts";
import { PGliteProcess } from "../../../db/pglite-process.ts";
import type { UsageSettings } from "../../../domain/usage/usage-hour.ts";
import { systemClock } from "../../../kit/clock.ts";
import type { OpenStore } from "../open-store.ts";
import { RoomCheckedStore } from "../room-checked-store.ts";
import { temporaryMebibytesOf } from "./disk-marks.ts";
import { EmbeddedDisk } from "./embedded-disk.ts";
import { lightQuestions, openSqlDrivers } from "./open-sql-drivers.ts";
import { inEmbedded } from "./settler.ts";

/** The time that a VACUUM of a large table may take. */
const vacuumLimitMs = 15 * 60_000;

/** An embedded store in a directory. */
export interface EmbeddedStoreOptions {
  readonly dataDir: string;
  /** DATA_MAX_GIB; absent: it is not set. */
  readonly maxGibibytes?: number | undefined;
  /** The time limit of a statement of a query; absent: the limit of other statements. */
  readonly queryTimeoutSeconds?: number;
  /** How usage is counted; absent: by the defaults. */
  readonly usage?: UsageSettings;
  /** Receives a sentence for people; absent: it is not reported. */
  readonly onNotice?: (notice: string) => void;
  /** Receives a sentence for people about work that takes long; absent: it is not reported. */
  readonly onProgress?: (text: string) => void;
}

/** Opens the embedded store: in a directory, which is then locked for this process, with a process of its own; or in memory, within
 *  this process.
 *  @param where a store in memory begins with the content of a dump of PGlite
 *  @throws DataDirUnusable, StoreUnavailable, SchemaAhead */
export async function openPGliteStore(where: EmbeddedStoreOptions | { readonly memory: Blob }): Promise<OpenStore> {
  if ("memory" in where) {
    const client = PGliteClient.on(await PGliteDatabase.open("memory://", { content: where.memory }), undefined);
    const drivers = await driversOn(client, {});
    return { description: "in memory", ...drivers, disk: undefined, close: () => client.close() };
  }
  const dataDir = await openDataDir(where.dataDir, where.onProgress);
  if (dataDir.notice !== undefined) where.onNotice?.(dataDir.notice);
  const { databaseDir, lock } = dataDir;
  try {
    const client = await openClient(dataDir, where);
    try {
      const slowClient = client.forQuestions("heavy", vacuumLimitMs);
      const disk = await EmbeddedDisk.open({ ...where, client, slowClient, databaseDir, clock: systemClock });
      const drivers = await driversOn(client, where);
      const store = new RoomCheckedStore(drivers.store, disk);
      const close = (): Promise<void> => client.close().then(() => lock.release());
      return { description: where.dataDir, ...drivers, store, disk, close };
    } catch (error) {
      await client.close();
      throw error;
    }
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openClient(
  { databaseDir, lock }: DataDir,
  { onNotice = () => undefined, maxGibibytes }: EmbeddedStoreOptions,
): Promise<PGliteClient> {
  const { descriptor: lockDescriptor } = lock;
  const temporaryMaxMebibytes = temporaryMebibytesOf(maxGibibytes);
  const session = await PGliteProcess.open({ databaseDir, lockDescriptor, temporaryMaxMebibytes, onNotice });
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
  { queryTimeoutSeconds, usage }: Pick<EmbeddedStoreOptions, "queryTimeoutSeconds" | "usage">,
): Promise<Omit<OpenStore, "description" | "disk" | "close">> {
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
      settler: inEmbedded,
      usage,
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
