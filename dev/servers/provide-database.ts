import { SQL } from "bun";
import { composeCommand, startContainer } from "./containers.ts";
import { startPostgres } from "./postgres.ts";
import { refuseIfImpossible } from "./refuse-if-impossible.ts";

// For tests that do not kill or configure their database. Uses the first of these that is possible: the server that the
// environment names, a container of dev/servers/compose.yaml, a process from the folder of Debian trixie.

/** An empty database that only the caller uses. */
export interface ProvidedDatabase {
  readonly url: string;
  stop(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** If DATABASE_URL is set, creates a database on that server; `stop` drops it, and every database whose name begins with its
 *  name. Otherwise, starts a server; `stop` stops it and removes its data.
 *  @throws Error that names the missing requirement, or says why the database or the server could not be provided */
export async function provideDatabase(env: Environment = process.env): Promise<ProvidedDatabase> {
  if (env.DATABASE_URL) return await freshDatabase(env.DATABASE_URL);
  const compose = composeCommand();
  if (compose === undefined) {
    refuseIfImpossible("TimescaleDB", "DATABASE_URL");
    return await startPostgres();
  }
  const container = await startContainer(compose, "timescaledb");
  const url = `postgres://postgres:telemetry@127.0.0.1:${container.port}/telemetry`;
  return { url, stop: () => container.stop() };
}

async function freshDatabase(serverUrl: string): Promise<ProvidedDatabase> {
  const name = `telemetry_test_${crypto.randomUUID().slice(-12)}`;
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await runSql(serverUrl, `create database ${name}`);
  const stop = async (): Promise<void> => {
    const databases = await runSql(serverUrl, `select datname from pg_database where starts_with(datname, '${name}')`);
    for (const { datname } of databases) await runSql(serverUrl, `drop database ${datname} with (force)`);
  };
  return { url: url.href, stop };
}

async function runSql(url: string, statement: string): Promise<readonly { readonly datname: string }[]> {
  const sql = new SQL(url, { max: 1 });
  try {
    return await sql.unsafe(statement);
  } finally {
    await sql.close({ timeout: 0 });
  }
}
