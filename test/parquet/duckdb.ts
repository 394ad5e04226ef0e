import { existsSync } from "node:fs";
import { join } from "node:path";
import { runCommand, toolFolder } from "./cache-folder.ts";
import type { Values } from "./columns.ts";

const version = "1.5.6-r.1";

/** What is used of DuckDB's package, which is no dependency: it has 112 MB. */
interface DuckDbPackage {
  readonly DuckDBInstance: {
    create(path: string, options: Record<string, string>): Promise<{ connect(): Promise<DuckDbConnection> }>;
  };
}

interface DuckDbConnection {
  runAndReadAll(statement: string): Promise<{ getColumnsObjectJS(): Record<string, unknown[]> }>;
  closeSync(): void;
}

/** DuckDB, in this process. */
export interface DuckDb {
  readonly version: string;
  read(statement: string): Promise<Values>;
  /** The type of each column of a query. */
  typesOf(query: string): Promise<ReadonlyMap<string, string>>;
  close(): void;
}

/** Opens DuckDB; the first time, it is installed into the cache. */
export async function openDuckDb(): Promise<DuckDb> {
  const folder = toolFolder(`duckdb-${version}`);
  const module = join(folder, "node_modules", "@duckdb", "node-api");
  if (!existsSync(module)) {
    await Bun.write(join(folder, "package.json"), `{ "private": true }\n`);
    await runCommand([process.execPath, "add", "--exact", `@duckdb/node-api@${version}`], folder);
  }
  const { DuckDBInstance } = (await import(Bun.resolveSync("@duckdb/node-api", folder))) as DuckDbPackage;
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "1GB", threads: "2" });
  const connection = await instance.connect();
  const read = async (statement: string) => (await connection.runAndReadAll(statement)).getColumnsObjectJS();
  const typesOf = async (query: string) => {
    const { column_name: names = [], column_type: types = [] } = await read(`describe ${query}`);
    return new Map(names.map((name, at) => [String(name), String(types[at])]));
  };
  return { version, read, typesOf, close: () => connection.closeSync() };
}

/** A text in a statement. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
