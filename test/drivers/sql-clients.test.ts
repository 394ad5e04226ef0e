import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { makeDataDir } from "../../dev/empty-store.ts";
import { openPGliteClient } from "../support/open-store.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { PostgresClient } from "../../src/db/postgres-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { exerciseSqlClient } from "../contract/sql-client.ts";
import { createDatabase } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

exerciseSqlClient("PGlite in the process itself", () => openPGliteClient("memory://"));

let embedded: Promise<string> | undefined;
let opened = 0;
exerciseSqlClient("PGlite in a process of its own", async () => {
  embedded ??= mkdtemp(join(tmpdir(), "telemetry-sql-client-"));
  const dataDir = join(await embedded, String((opened += 1)));
  await makeDataDir(dataDir);
  return (await openPGliteStore({ dataDir })).client;
});
afterAll(async () => void (embedded && (await rm(await embedded, { recursive: true }))));

for (const [name, database, query] of [
  ["postgres.js", "direct", ""],
  ["postgres.js for a pooler", "pooled", "?prepare=false"],
] as const) {
  let url: Promise<string> | undefined;
  exerciseSqlClient(name, async () => {
    url ??= createDatabase(server, database);
    return new PostgresClient({ url: `${await url}${query}`, maxConnections: 3, clock: systemClock });
  });
}
