import { openPGliteClient } from "./pglite-client.ts";

// Creates an empty database with the newest schema in the given directory. data-dir.ts runs this as a child process.
const [, , directory] = process.argv;
if (directory === undefined) throw new TypeError("usage: make-database.ts DIRECTORY");
const client = await openPGliteClient(directory);
await client.close();
