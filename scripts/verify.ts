import { hostname } from "node:os";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseConfig } from "../src/config/parse-config.ts";
import { defaultBatchSize } from "../src/config/settings/input-settings.ts";
import { systemClock } from "../src/kit/clock.ts";
import { DataDirUnusable, TelemetryError } from "../src/domain/errors.ts";
import { CsvSource, originalTimes } from "../src/pipeline/source/csv/csv-source.ts";
import { FileLook } from "../src/pipeline/source/file/file-look.ts";
import { openPGliteStore } from "../src/pipeline/store/sql/open-pglite-store.ts";
import { type Comparison, compareFile } from "./verify/compare-file.ts";
import { Progress } from "./verify/progress.ts";
import { idInStore, recordsBehindApi, recordsInStore, type StoredRecords } from "./verify/stored-records.ts";
import { gatewayAddress } from "./gateway/gateway-address.ts";
import { gatewayInit } from "./gateway/gateway-init.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Compares a CSV file with the store; exits with 1 if they differ, with 2 if they cannot be compared.
  bun run verify [--csv FILE] [--url http://localhost:8080]
Without --csv it reads CSV_FILE. Rows that name no cluster are of CLUSTER_ID. Without --url it opens the store in
DATA_DIR. If DATABASE_URL is set, or there is no store in DATA_DIR, or it cannot be used (for example, because a
running pipeline uses it), it queries the pipeline at HOST:PORT (127.0.0.1:8080) instead. Its last line names what
it has compared with.`;

/** A pipeline that is busy answers `/health` within this time. */
const answerMaxMs = 10_000;

interface OpenStore {
  /** The folder or URL that the records are read from. */
  readonly place: string;
  readonly stored: StoredRecords;
  readonly close: () => Promise<void>;
}

async function openStored(config: ReturnType<typeof parseConfig>, url: string | undefined): Promise<OpenStore> {
  const { dataDir, databaseUrl, host, port, tlsCertFile } = config;
  const ownUrl = `${tlsCertFile === undefined ? "http" : "https"}://${host}:${port}`;
  const behindApi = (place: string): OpenStore => ({
    place,
    stored: recordsBehindApi(place),
    close: () => Promise.resolve(),
  });
  if (url !== undefined) return behindApi(gatewayAddress(url));
  if (databaseUrl !== undefined) return behindApi(ownUrl);
  if (!existsSync(join(dataDir, "pglite"))) {
    if (await answers(ownUrl)) return behindApi(ownUrl);
    throw new TypeError(
      `There is no store in ${dataDir}, and no pipeline answers at ${ownUrl}: set DATA_DIR, or HOST and PORT, or give --url`,
    );
  }
  try {
    const { queries, close } = await openPGliteStore({ dataDir });
    return { place: dataDir, stored: recordsInStore(queries), close };
  } catch (error) {
    if (error instanceof DataDirUnusable) return behindApi(ownUrl);
    throw error;
  }
}

/** True if a pipeline runs there. Its answers may still need a key. */
async function answers(url: string): Promise<boolean> {
  const signal = AbortSignal.timeout(answerMaxMs);
  const health = await fetch(`${url}/health`, { ...gatewayInit(process.env), signal })
    .then((response) => response.json())
    .catch(() => undefined);
  return typeof health === "object" && health !== null && "status" in health;
}

async function verify(): Promise<number> {
  if (answersHelp(process.argv.slice(2), usage)) return 0;
  const { values } = parseArgs({ options: { csv: { type: "string" }, url: { type: "string" } } });
  const config = parseConfig({ ...process.env, TIMESTAMPS: undefined, LOOP_MODE: undefined });
  const { batchSize = defaultBatchSize } = config;
  const path = values.csv ?? config.csvFile;
  if (path === undefined) throw new TypeError(usage);
  const { place, stored, close } = await openStored(config, values.url);
  const progress = new Progress(process.stderr, () => systemClock.nowMs());
  try {
    const source = await CsvSource.open({
      look: new FileLook(path, systemClock),
      chooseId: idInStore(stored),
      clusterId: config.clusterId,
      hostname: config.sourceHostname ?? hostname(),
      namedHostname: config.sourceHostname,
      batchRows: batchSize,
      batchMaxRows: batchSize,
      playing: originalTimes,
      clock: systemClock,
      onWarning: (message) => printError(message),
    });
    const comparison = await compareFile(source, stored, (text) => progress.show(text));
    progress.end();
    return report(path, place, comparison);
  } finally {
    progress.end();
    await close();
  }
}

/** @returns the status that the process exits with */
function report(
  path: string,
  place: string,
  { differences, differenceCount, unknown, note, ...sums }: Comparison,
): number {
  const { rows, samples, records, missing, rejected, conflicts } = sums;
  const told = conflicts === 0 ? "" : `, ${conflicts} conflicting`;
  print(
    `${path}: ${rows} rows, ${samples} samples, ${records} records, ${missing} missing, ${rejected} rejected${told}`,
  );
  for (const sentence of [...differences, unknown, note]) if (sentence !== undefined) print(`  ${sentence}`);
  if (differenceCount > 0) print(`differences from ${place}: ${differenceCount}`);
  else print(`the store agrees (${place})${unknown === undefined ? "" : " in all that was compared"}`);
  if (differenceCount > 0) return 1;
  return unknown === undefined ? 0 : 2;
}

try {
  process.exit(await verify());
} catch (error) {
  const isExpected = error instanceof TelemetryError || error instanceof TypeError;
  printError(isExpected ? error.message : String((error as Error).stack ?? error));
  process.exit(2);
}
