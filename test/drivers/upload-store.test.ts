import { afterAll, beforeAll } from "bun:test";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { exerciseUploads } from "../contract/uploads.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { createDatabase } from "../support/postgres-database.ts";

let server: ProvidedDatabase;
beforeAll(async () => void (server = await provideDatabase()), 300_000);
afterAll(() => server.stop());

exerciseUploads("PGlite", openMemoryStore);
exerciseUploads("PostgreSQL", async () => {
  const url = await createDatabase(server, "uploads", { plain: true });
  return openPostgresStore({ url, migrate: true });
});
