import { SQL } from "bun";
import { composeCommand, startContainer } from "./containers.ts";
import { startEtcd } from "./etcd.ts";
import { startPostgres } from "./postgres.ts";
import { reasonAgainstTrixie } from "./trixie.ts";

// Servers for tests that do not kill or configure them. The first of these that is possible: NAMED BY THE ENVIRONMENT, A CONTAINER
// of compose.yaml, A PROCESS in the folder of Debian trixie.

/** An etcd. It may have other users, so use only keys of your own. */
export interface ProvidedEtcd {
  readonly endpoints: readonly string[];
  stop(): Promise<void>;
}

/** An empty database for one user. */
export interface ProvidedDatabase {
  readonly url: string;
  stop(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @returns the etcd at ETCD_ENDPOINTS; if that is not set, a new one, which ends with `stop`
 *  @throws Error with a sentence that says what is missing */
export async function provideEtcd(env: Environment = process.env): Promise<ProvidedEtcd> {
  if (env.ETCD_ENDPOINTS) {
    const endpoints = env.ETCD_ENDPOINTS.split(",").map((endpoint) => endpoint.trim());
    return { endpoints, stop: () => Promise.resolve() };
  }
  const compose = composeCommand();
  if (compose === undefined) {
    refuseIfImpossible("etcd", "ETCD_ENDPOINTS");
    return await startEtcd({ members: 1 });
  }
  const container = await startContainer(compose, "etcd");
  return { endpoints: [`http://127.0.0.1:${container.port}`], stop: () => container.stop() };
}

/** @returns a new database on the server of DATABASE_URL, or, if that is not set, on a new server; `stop` drops it, and the
 *    databases whose names begin with its name
 *  @throws Error with a sentence that says what is missing */
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

function refuseIfImpossible(server: string, variable: string): void {
  const reason = reasonAgainstTrixie();
  if (reason === undefined) return;
  throw new Error(
    `No ${server}: set ${variable}, or start Docker or Podman with compose, or run as root on Debian (here ${reason})`,
  );
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
