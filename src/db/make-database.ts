import { openPGliteClient } from "./pglite-client.ts";

// Makes an empty database with the newest schema in the directory given; run as a process of its own by data-dir.ts.
const [, , directory] = process.argv;
if (directory === undefined) throw new TypeError("usage: make-database.ts DIRECTORY");
const client = await openPGliteClient(directory);
await client.close();
