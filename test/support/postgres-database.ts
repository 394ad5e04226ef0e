import type { PostgresServer } from "../../dev/servers/postgres.ts";
import { openPostgresClient, type PostgresClient } from "../../src/db/postgres-client.ts";
import { systemClock } from "../../src/kit/clock.ts";

/** Makes another database of the server's.
 *  @param plain without TimescaleDB
 *  @returns its URL */
export async function createDatabase(
  server: PostgresServer,
  name: string,
  { plain = false }: { readonly plain?: boolean } = {},
): Promise<string> {
  await withClient(server.url, async (admin) => {
    await admin.query(`create database ${name}`);
    if (plain) await admin.query(`alter database ${name} set timescaledb.disable_load = on`);
  });
  return urlOf(server, name);
}

/** Where a database of the server's is, as its superuser or as another. */
export function urlOf(server: PostgresServer, database: string, user = "postgres"): string {
  const url = new URL(server.url);
  url.pathname = `/${database}`;
  url.username = user;
  return url.href;
}

/** A client with one connection to a database; close it. */
export function clientOf(url: string): PostgresClient {
  return openPostgresClient({ url, maxConnections: 1, clock: systemClock });
}

/** Asks a database something, by a connection of its own. */
export async function withClient<T>(url: string, ask: (client: PostgresClient) => Promise<T>): Promise<T> {
  const client = clientOf(url);
  try {
    return await ask(client);
  } finally {
    await client.close();
  }
}
