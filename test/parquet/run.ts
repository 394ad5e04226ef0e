import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { provideDatabase } from "../../dev/servers/provide-database.ts";
import { provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { answersHelp } from "../../src/terminal/answers-help.ts";
import { print } from "../../src/terminal/print.ts";
import { clientOf, createDatabase } from "../support/postgres-database.ts";
import { compareArchive, compareExport } from "./compare.ts";
import type { Digests } from "./columns.ts";
import { openDuckDb } from "./duckdb.ts";
import { fill, type FleetSize, partsOf } from "./fleet.ts";
import { openPandas } from "./pandas.ts";
import { archiveAll, exportAll, importAll, type Place, withGateways } from "./pipelines.ts";
import { compareAnswers } from "./same-answers.ts";
import { storeDigests } from "./store-digests.ts";

const usage = `Archives a fleet's records, and compares every value that DuckDB and pandas read in the archive and in exports with the store's; then
imports the archive into an empty store, and compares the rows of both stores and the answers of their gateways.
  bun run test:parquet [--gpus 50] [--hours 3]
The first time, DuckDB (112 MB) is installed into the cache of this user, and so are pandas and pyarrow if there is a python3 (3.11 or
later) with venv. Without it, pandas is not compared.`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const { values: given } = parseArgs({
  options: { gpus: { type: "string", default: "50" }, hours: { type: "string", default: "3" } },
});
const size: FleetSize = { gpus: Number(given.gpus), hours: Number(given.hours) };
const parts = partsOf(size);

/** The digests of all parts of a store, in the order of `parts`. */
async function digestsOf(url: string): Promise<Digests[]> {
  const client = clientOf(url);
  try {
    const all: Digests[] = [];
    for (const part of parts) all.push(await storeDigests(client, part));
    return all;
  } finally {
    await client.close();
  }
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const before = performance.now();
  const result = await work();
  print(`${what}: ${((performance.now() - before) / 1000).toFixed(1)} s`);
  return result;
}

async function compareAll(place: Place, copyUrl: string): Promise<string[]> {
  const [duckdb, pandas] = [await openDuckDb(), await openPandas()];
  const { folder } = place;
  const readers = { duckdb, pandas, parts };
  print(`compared: DuckDB ${duckdb.version}${pandas === undefined ? "" : `, ${pandas.version}`}`);
  try {
    const stored = await timed("the store is read", () => digestsOf(place.url));
    await archiveAll(
      place,
      stored.reduce((sum, { records }) => sum + records, 0),
    );
    const archived = await timed("the archive is read", () => compareArchive(`${folder}/archive`, stored, readers));
    const copy = { ...place, url: copyUrl };
    return await withGateways(place, copy, async (original, copied) => {
      await timed("the records are exported", () => exportAll(original.url, `${folder}/exports`, parts));
      const exported = await timed("the exports are read", () => compareExport(`${folder}/exports`, stored, readers));
      const imported = await importAll(copied, `${folder}/archive`);
      const again = await timed("the other store is read", () => digestsOf(copyUrl));
      const answers = await compareAnswers([original.url, copied.url], size);
      return [...archived, ...exported, ...imported, ...differencesOfStores(stored, again), ...answers];
    });
  } finally {
    duckdb.close();
    await pandas?.close();
  }
}

function differencesOfStores(stored: readonly Digests[], again: readonly Digests[]): string[] {
  return stored.flatMap(({ ofColumn, records }, at) => {
    const found = again[at] as Digests;
    const names = Object.keys(ofColumn).filter((name) => ofColumn[name] !== found.ofColumn[name]);
    if (records === found.records && names.length === 0) return [];
    const { hour, clusterId } = parts[at] as (typeof parts)[number];
    return [
      `the imported store, ${new Date(hour).toISOString()} ${clusterId}: ${found.records}/${records}, ${names.join()}`,
    ];
  });
}

const [etcd, database] = await Promise.all([provideEtcd(), provideDatabase()]);
const folder = mkdtempSync(join(tmpdir(), "parquet-"));
try {
  const records = await timed("the store is filled", () => fill(database.url, size));
  const copyUrl = await createDatabase(database, "copy");
  const place = { url: database.url, etcdEndpoints: etcd.endpoints.join(), folder };
  const differences = await compareAll(place, copyUrl);
  for (const difference of differences.slice(0, 30)) print(`differs: ${difference}`);
  print(
    differences.length === 0
      ? `${records.toLocaleString("en-US")} records: all values are equal`
      : `${differences.length} differences`,
  );
  process.exitCode = differences.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true });
  await etcd.stop();
  await database.stop();
}
