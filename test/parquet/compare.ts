import { hourMs } from "../../src/domain/time-range.ts";
import { columns, differencesOf, type Digests, digestsOf } from "./columns.ts";
import { type DuckDb, literal } from "./duckdb.ts";
import type { Part } from "./fleet.ts";
import type { Pandas, PandasTask } from "./pandas.ts";
import { exportedFile } from "./pipelines.ts";

/** What reads the files. */
export interface Readers {
  readonly duckdb: DuckDb;
  readonly pandas: Pandas | undefined;
  readonly parts: readonly Part[];
}

/** A part as both readers ask for it. */
interface Question {
  readonly name: string;
  readonly expected: Digests;
  readonly query: string;
  readonly task: PandasTask;
}

const duckDbTypes = { time: "TIMESTAMP WITH TIME ZONE", number: "DOUBLE", text: "VARCHAR", json: "VARCHAR" } as const;
const pandasTypes = {
  time: /^datetime64\[ms, UTC\]$/,
  number: /^float64$/,
  text: /^(str|object)$/,
  json: /^(str|object)$/,
};

const nameOf = ({ hour, clusterId }: Part): string => `${new Date(hour).toISOString().slice(0, 13)} ${clusterId}`;

/** Compares every value of an archive with the store's. @returns what differs */
export async function compareArchive(folder: string, stored: readonly Digests[], readers: Readers): Promise<string[]> {
  const table = `read_parquet(${literal(`${folder}/**/*.parquet`)}, hive_partitioning = true)`;
  const differences = await differentTypes(readers.duckdb, `select * from ${table}`);
  // conditions of both readers need the types
  if (differences.length > 0) return differences;
  const wrong = `select count(*)::double as n from ${table} where cluster <> cluster_id
    or date::varchar <> strftime(timestamp at time zone 'UTC', '%Y-%m-%d')`;
  const { n = [] } = await readers.duckdb.read(wrong);
  if (n[0] !== 0) differences.push(`${String(n[0])} records are in a folder of another day or cluster`);
  for (const [at, part] of readers.parts.entries()) {
    const { hour, clusterId } = part;
    const [start, end] = [new Date(hour).toISOString(), new Date(hour + hourMs).toISOString()];
    const date = start.slice(0, 10);
    const query = `select * from ${table} where date = ${literal(date)} and cluster = ${literal(clusterId)}
      and timestamp >= timestamptz ${literal(start)} and timestamp < timestamptz ${literal(end)}`;
    const times = [["timestamp", ">=", start] as const, ["timestamp", "<", end] as const];
    const filters = [["date", "=", date] as const, ["cluster", "=", clusterId] as const, ...times];
    const expected = stored[at] as Digests;
    const question = { name: `archive ${nameOf(part)}`, expected, query, task: { path: folder, filters, columns } };
    differences.push(...(await differencesIn(question, readers)));
  }
  return differences;
}

/** Compares every value of the hours' exports with the store's. @returns what differs */
export async function compareExport(folder: string, stored: readonly Digests[], readers: Readers): Promise<string[]> {
  const differences: string[] = [];
  for (const [at, part] of readers.parts.entries()) {
    const path = exportedFile(folder, part.hour);
    const query = `select * from read_parquet(${literal(path)}) where cluster_id = ${literal(part.clusterId)}`;
    const task = { path, filters: [["cluster_id", "=", part.clusterId] as const], columns };
    const expected = stored[at] as Digests;
    differences.push(...(await differencesIn({ name: `export ${nameOf(part)}`, expected, query, task }, readers)));
    differences.push(...(await differentTypes(readers.duckdb, query, true)));
  }
  return differences;
}

async function differencesIn({ name, expected, query, task }: Question, readers: Readers): Promise<string[]> {
  const values = await readers.duckdb.read(`${query} order by uuid, timestamp`);
  const of = task.columns;
  const inDuckDb = differencesOf(expected, digestsOf(values, of)).map((each) => `DuckDB, ${name}: ${each}`);
  if (readers.pandas === undefined) return inDuckDb;
  const { types, ...found } = await readers.pandas.read(task);
  // JSON is compared by its bytes with what DuckDB has read, which is compared with the store
  const inPandas = differencesOf(digestsOf(values, of, true), found).map((each) => `pandas, ${name}: ${each}`);
  const ofTypes = of.flatMap(({ name: column, kind }) => {
    const type = types[column];
    return type === undefined || pandasTypes[kind].test(type) ? [] : [`pandas, ${name}: ${column} is ${type}`];
  });
  return [...inDuckDb, ...inPandas, ...ofTypes];
}

/** @param mayLack true if columns without values may be absent */
async function differentTypes(duckdb: DuckDb, query: string, mayLack = false): Promise<string[]> {
  const types = await duckdb.typesOf(query);
  return columns.flatMap(({ name, kind }) => {
    const type = types.get(name);
    if (type === duckDbTypes[kind] || (type === undefined && mayLack)) return [];
    return [`DuckDB: the type of ${name} is ${type ?? "absent"}, not ${duckDbTypes[kind]}`];
  });
}
