import { chmodSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { keepFilesPrivate } from "../kit/private-files.ts";
import { messageOf } from "../kit/message-of.ts";
import { PGliteDatabase } from "./pglite-database.ts";

// Creates an empty database with the newest schema in the given directory. data-dir.ts runs this as a child process.
async function makeDatabase(directory: string): Promise<void> {
  const database = await PGliteDatabase.open(directory);
  await database.close();
  // PGlite gives the files of a new database the modes of its own image
  for (const path of ["", ...readdirSync(directory, { recursive: true, encoding: "utf8" })]) {
    const at = join(directory, path);
    chmodSync(at, statSync(at).mode & 0o700);
  }
}

const [, , directory] = process.argv;
keepFilesPrivate();
if (directory === undefined) throw new TypeError("usage: make-database.ts DIRECTORY");
try {
  await makeDatabase(directory);
} catch (error) {
  // a pipe to data-dir.ts, which says it to people
  await Bun.write(Bun.stderr, messageOf(error));
  process.exitCode = 1;
}
