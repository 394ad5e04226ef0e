import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DataDirUnusable } from "../domain/errors.ts";
import type { SqlExecutor } from "./client.ts";

/** What every data directory of PostgreSQL has. PGlite would make a new database in a directory without PG_VERSION.
 *  Source: https://www.postgresql.org/docs/18/storage-file-layout.html */
const files = ["PG_VERSION", "global/pg_control", "postgresql.conf", "pg_hba.conf", "pg_ident.conf"];
const folders = ["pg_commit_ts", "pg_dynshmem", "pg_logical", "pg_notify", "pg_replslot", "pg_serial", "pg_snapshots"];
const moreFolders = ["pg_stat", "pg_subtrans", "pg_tblspc", "pg_twophase", "base", "global"];
const neverEmptyFolders = ["pg_wal", "pg_xact", "pg_multixact/offsets", "pg_multixact/members"];

/** Checks that a directory has the parts of a database, before it is opened.
 *  @throws DataDirUnusable that names what is missing */
export async function checkDatabaseFiles(databaseDir: string): Promise<void> {
  const databases = (await namesIn(databaseDir, "base")).filter((name) => /^\d+$/.test(name));
  const neededFiles = [...files, ...databases.map((name) => `base/${name}/PG_VERSION`)];
  const missing: string[] = [];
  for (const path of neededFiles) {
    const found = await stat(join(databaseDir, path)).catch(absent);
    if (found === undefined || found.size === 0) missing.push(path);
  }
  for (const path of [...folders, ...moreFolders]) {
    if ((await stat(join(databaseDir, path)).catch(absent)) === undefined) missing.push(path);
  }
  for (const path of neverEmptyFolders) {
    if ((await namesIn(databaseDir, path)).length === 0) missing.push(`${path}/*`);
  }
  if (missing.length > 0) throw damaged(databaseDir, missing);
}

/** Where statements have what does not fit into memory. */
export const temporaryFolder = "base/pgsql_tmp";

/** Deletes what statements have left there whose process was killed: only a server's postmaster, which PGlite does not have, would.
 *  The database must not be open. */
export async function removeTemporaryFiles(databaseDir: string): Promise<void> {
  await rm(join(databaseDir, temporaryFolder), { recursive: true, force: true });
}

/** Checks that every table and index of an open database has its files: PostgreSQL opens a file when it first reads from it, and
 *  takes a table for shorter where a file in its middle is missing.
 *  @throws DataDirUnusable that names what is missing; an error of `executor` */
export async function checkTableFiles(executor: SqlExecutor, databaseDir: string): Promise<void> {
  const relations = await executor.query<{ path: string }>(
    "select pg_relation_filepath(oid) as path from pg_class where relkind in ('r', 'i', 't', 'S', 'm') order by 1",
  );
  const present = new Set<string>();
  for (const folder of new Set(relations.map(({ path }) => path.slice(0, path.lastIndexOf("/"))))) {
    for (const name of await namesIn(databaseDir, folder)) present.add(`${folder}/${name}`);
  }
  const missing = relations.map(({ path }) => path).filter((path) => !present.has(path));
  // a table of several GiB goes on in path.1, path.2, ...
  for (const path of present) {
    const [, table, number] = /^(.*\/\d+)\.(\d+)$/.exec(path) ?? [];
    if (table === undefined) continue;
    const before = number === "1" ? table : `${table}.${Number(number) - 1}`;
    if (!present.has(before)) missing.push(before);
  }
  if (missing.length > 0) throw damaged(databaseDir, missing);
}

/** What an operator can do about damaged files. */
export const afterDamage = "Restore a backup of it, or move the folder away to begin with an empty database";

const maxNamed = 5;

function damaged(databaseDir: string, missing: readonly string[]): DataDirUnusable {
  const more = missing.length > maxNamed ? ` and ${missing.length - maxNamed} more` : "";
  return new DataDirUnusable(
    `the database in ${databaseDir} is damaged: ${missing.slice(0, maxNamed).join(", ")}${more} missing. Nothing was changed. ${afterDamage}`,
  );
}

async function namesIn(databaseDir: string, folder: string): Promise<string[]> {
  return (await readdir(join(databaseDir, folder)).catch(absent)) ?? [];
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
  throw error;
}
