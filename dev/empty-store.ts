import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { dataDir as initialContent } from "@electric-sql/pglite-prepopulatedfs";
import { drizzle } from "drizzle-orm/pglite";
import { migrate } from "drizzle-orm/pglite/migrator";
import { dependencies } from "../package.json";
import { migrationsFolder } from "../src/db/migrations.ts";
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
  const database = await PGlite.create("memory://", { loadDataDir: await initialContent() });
  await migrate(drizzle(database), { migrationsFolder });
  const unfinished = `${path}.${process.pid}`;
  await Bun.write(unfinished, await database.dumpDataDir("none"));
  await database.close();
  await rename(unfinished, path);
  return path;
}

/** What an empty store depends on: PGlite, and the migrations. */
function schemaHash(): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const [name, version] of Object.entries(dependencies)) if (name.includes("pglite")) hash.update(name + version);
  for (const name of readdirSync(migrationsFolder).sort()) {
    if (name.endsWith(".sql")) hash.update(readFileSync(join(migrationsFolder, name)));
  }
  return hash.digest("hex").slice(0, 12);
}
