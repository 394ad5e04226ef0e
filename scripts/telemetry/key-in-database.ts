import { type CreatedKey, KeyAdministration, type KeyRequest } from "../../src/access/key-administration.ts";
import { SqlKeyStore } from "../../src/access/sql/sql-key-store.ts";
import { parseConfig } from "../../src/config/parse-config.ts";
import { openPGliteStore } from "../../src/pipeline/store/sql/open-pglite-store.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { printError } from "../../src/terminal/print.ts";

/** Stores a key in the database of the settings, without a gateway: in the one at DATABASE_URL, or in DATA_DIR while no process
 *  uses it. */
export async function createInDatabase(request: KeyRequest): Promise<CreatedKey> {
  const { databaseUrl: url, dataDir, migrateOnStart: migrate } = parseConfig(process.env);
  const opened = await (url === undefined
    ? openPGliteStore({ dataDir, onNotice: printError })
    : openPostgresStore({ url, migrate }));
  try {
    return await new KeyAdministration(new SqlKeyStore(opened.client), () => Promise.resolve()).create(request);
  } finally {
    await opened.close();
  }
}
