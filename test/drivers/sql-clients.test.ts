import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { openPGliteClient } from "../../src/db/pglite-client.ts";
import { PostgresClient } from "../../src/db/postgres-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { exerciseSqlClient } from "../contract/sql-client.ts";
import { createDatabase } from "../support/postgres-database.ts";

setDefaultTimeout(60_000);

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

exerciseSqlClient("PGlite", () => openPGliteClient("memory://"));

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
