import { afterAll, beforeAll } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { exerciseFaultStore } from "../contract/fault-store.ts";
import { createDatabase } from "../support/postgres-database.ts";

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

let databases = 0;
exerciseFaultStore("PostgreSQL", async () => {
  const url = await createDatabase(server, `plain_faults_${(databases += 1)}`, { plain: true });
  return openPostgresStore({ url, migrate: true });
});
