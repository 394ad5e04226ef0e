import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { dependencies } from "../package.json";
import { migrationsFolder, noteNeeded, usualJournal } from "../src/db/migrations.ts";
import { PGliteDatabase } from "../src/db/pglite-database.ts";
import { cacheFolder } from "./servers/trixie.ts";

// Making an embedded store takes 3 to 10 s of CPU time, copying one 0.5 s. So one is made for each schema and kept in the cache.

let file: Promise<string> | undefined;

/** The file with an empty embedded store of the newest schema, as PGlite dumps it. */
export function emptyStoreFile(): Promise<string> {
  return (file ??= makeFile());
}

/** Makes the folder of a process's embedded store, so that the process need not make a database. */
export async function makeDataDir(dataDir: string): Promise<void> {
  const loadDataDir = Bun.file(await emptyStoreFile());
  await mkdir(dataDir, { recursive: true });
  await (await PGlite.create(join(dataDir, "pglite"), { loadDataDir })).close();
}

async function makeFile(): Promise<string> {
  const path = join(cacheFolder(), `empty-store-${schemaHash()}.tar`);
  if (existsSync(path)) return path;
  const folder = await mkdtemp(join(tmpdir(), "telemetry-empty-store-"));
  try {
    await (await PGliteDatabase.open(folder)).close();
    const database = await PGlite.create(folder);
    const unfinished = `${path}.${process.pid}`;
    await Bun.write(unfinished, await database.dumpDataDir("none"));
    await database.close();
    await rename(unfinished, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return path;
}

/** What an empty store depends on: PGlite, the migrations, and the note about them. */
function schemaHash(): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const [name, version] of Object.entries(dependencies)) if (name.includes("pglite")) hash.update(name + version);
  for (const name of readdirSync(migrationsFolder).sort()) {
    if (name.endsWith(".sql")) hash.update(readFileSync(join(migrationsFolder, name)));
  }
  return hash.update(noteNeeded(usualJournal)).digest("hex").slice(0, 12);
}
