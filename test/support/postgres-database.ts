import { PostgresClient } from "../../src/db/postgres-client.ts";
import { systemClock } from "../../src/kit/clock.ts";

/** A server, by the URL of one of its databases. */
interface Server {
  readonly url: string;
}

/** Creates another database on the server. Its name begins with the name of the database in the server's URL, so that
 *  the `stop` of a provided database drops both.
 *  @param plain without TimescaleDB
 *  @param collation the name of an ICU locale whose order becomes the database's own; by default, the server's
 *  @returns the URL of the new database */
export async function createDatabase(
  server: Server,
  name: string,
  {
    plain = false,
    tablespace = "pg_default",
    collation,
  }: { readonly plain?: boolean; readonly tablespace?: string; readonly collation?: string } = {},
): Promise<string> {
  const url = new URL(server.url);
  url.pathname += `_${name}`;
  const database = databaseOf(url.href);
  await withClient(server.url, async (admin) => {
    const ordered = collation === undefined ? "" : `template template0 locale_provider icu icu_locale '${collation}'`;
    await admin.query(`create database ${database} tablespace ${tablespace} ${ordered}`);
    if (plain) await admin.query(`alter database ${database} set timescaledb.disable_load = on`);
  });
  return url.href;
}

/** The name of the database in a URL. */
export const databaseOf = (url: string): string => new URL(url).pathname.slice(1);

/** A client with one connection to a database; the caller closes the client. */
export function clientOf(url: string): PostgresClient {
  return new PostgresClient({ url, maxConnections: 1, clock: systemClock });
}

/** Queries a database over a connection that is closed afterwards. */
export async function withClient<T>(url: string, query: (client: PostgresClient) => Promise<T>): Promise<T> {
  const client = clientOf(url);
  try {
    return await query(client);
  } finally {
    await client.close();
  }
}
