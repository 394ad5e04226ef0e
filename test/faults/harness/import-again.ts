import { join } from "node:path";
import { type UntilOptions, until } from "../../../dev/until.ts";
import { gapsIn } from "../../../src/domain/range.ts";
import { CsvSource } from "../../../src/pipeline/source/csv/csv-source.ts";
import { openPostgresStore } from "../../../src/pipeline/store/sql/open-postgres-store.ts";
import { Worker } from "./workers.ts";

export interface ImportAgainOptions {
  readonly csvFile: string;
  readonly csvBytes: number;
  readonly clusterId: string;
  readonly databaseUrl: string;
  readonly logFolder: string;
}

const patience: UntilOptions = { timeoutMs: 60_000, everyMs: 200 };

/** Imports the file once more, as docs/operations.md says for the time after a failover: a process without etcd reads the ranges
 *  that the database lacks. Resolves when the database has all of them.
 *  @returns the violation, if it does not get them */
export async function importAgain(options: ImportAgainOptions): Promise<string[]> {
  const { csvFile, csvBytes, clusterId, databaseUrl, logFolder } = options;
  const env = { ROLE: "streamer,collector", CSV_FILE: csvFile, CLUSTER_ID: clusterId, DATABASE_URL: databaseUrl };
  const worker = new Worker({
    name: "import-again",
    env: { ...env, BATCH_SIZE: "200", LOG_LEVEL: "debug" },
    logFile: join(logFolder, "import-again.log"),
    onLine: () => undefined,
  });
  const { store, close } = await openPostgresStore({ url: databaseUrl, migrate: false, maxConnections: 1 });
  const sourceId = await CsvSource.fileId(csvFile);
  const whole = { from: { offset: 0, line: 0 }, to: { offset: csvBytes, line: 0 } };
  const missing = async () => gapsIn(whole, (await store.progressOf(sourceId)).stored);
  try {
    worker.start();
    // the header is in no range
    await until(async () => (await missing()).every(({ to }) => to.offset < csvBytes && to.offset < 200), patience);
    return [];
  } catch (error) {
    return [
      `I1: importing the file again did not end: ${JSON.stringify(await missing())}: ${(error as Error).message}`,
    ];
  } finally {
    await worker.stop();
    await close();
  }
}
