import { afterAll, beforeAll } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { exerciseFaultStore } from "../contract/fault-store.ts";
import { createDatabase } from "../support/postgres-database.ts";

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

exerciseFaultStore("PostgreSQL", async () => {
  return openPostgresStore({ url: await createDatabase(server, "plain_faults", { plain: true }), migrate: true });
});
