import { SQL } from "bun";
import { binaries, postgresCommand } from "../../dev/servers/postgres-command.ts";
import { runInTrixie, type TrixieCommand } from "../../dev/servers/trixie-server.ts";
import { account, type ServerPort, serverPorts } from "./server-ports.ts";

/** One of the servers that setup-etcd keeps in the background. */
export interface LocalServer extends ServerPort {
  readonly name: "etcd" | "postgres";
  /** The name in messages. */
  readonly title: string;
  /** The variable that sets the port. */
  readonly portVariable: string;
  /** The setting that makes the pipeline use this server. */
  readonly setting: string;
  readonly command: readonly string[];
  readonly stopSignal: NodeJS.Signals;
  /** Resolves to true if the server can be used now; otherwise resolves to false or rejects. */
  answers(): Promise<boolean>;
  /** Makes the data folder of a server that has none yet. */
  prepare(place: Omit<TrixieCommand, "command">): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

const host = "127.0.0.1";

/** The servers, with the ports that the environment names.
 *  @throws Error with a sentence for people if a setting names a server that setup-etcd does not start */
export function localServers(env: Environment): readonly [etcd: LocalServer, postgres: LocalServer] {
  const { etcd, postgres } = serverPorts(env);
  return [
    { ...etcdOn(etcd.port), ...etcd },
    { ...postgresOn(postgres.port), ...postgres },
  ];
}

function etcdOn(port: number): LocalServer {
  const url = `http://${host}:${port}`;
  return {
    name: "etcd",
    title: "etcd",
    port,
    portVariable: "ETCD_PORT",
    setting: `ETCD_ENDPOINTS=http://localhost:${port}`,
    command: [
      ...["etcd", "--name=etcd", "--data-dir=/srv/data"],
      ...[`--listen-client-urls=${url}`, `--advertise-client-urls=http://localhost:${port}`],
      ...[`--listen-peer-urls=http://${host}:${port + 1}`, `--initial-advertise-peer-urls=http://${host}:${port + 1}`],
      ...[`--initial-cluster=etcd=http://${host}:${port + 1}`, "--initial-cluster-state=new"],
      ...["--quota-backend-bytes=8589934592", "--logger=zap", "--log-level=warn"],
      ...["--snapshot-count=1000", "--experimental-snapshot-catchup-entries=1000"],
    ],
    stopSignal: "SIGTERM",
    answers: async () => {
      const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) });
      return response.ok && ((await response.json()) as { health: string }).health === "true";
    },
    // etcd makes its data folder itself
    prepare: () => Promise.resolve(),
  };
}

/** A script that makes the data of PostgreSQL, completely or not at all. Only the user may connect, with its password. */
const makeData = `
  set -eu
  [ -d /srv/data ] && exit
  rm -rf /srv/new
  ${binaries}/initdb --pgdata=/srv/new --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync
  echo "host all ${account} ${host}/32 scram-sha-256" > /srv/new/pg_hba.conf
  printf '%s\\n' "create role ${account} login createdb password '${account}'" "create database ${account} owner ${account}" |
    ${binaries}/postgres --single -D /srv/new postgres
  sync -f /srv/new
  mv /srv/new /srv/data`;

function postgresOn(port: number): LocalServer {
  const url = `postgres://${account}:${account}@${host}:${port}/${account}`;
  return {
    name: "postgres",
    title: "TimescaleDB",
    port,
    portVariable: "POSTGRES_PORT",
    setting: `DATABASE_URL=${url}`,
    command: postgresCommand({ host, port }),
    // a fast shutdown, which disconnects clients
    stopSignal: "SIGINT",
    answers: () => asked(url, "select 1").then(() => true),
    prepare: async (place) => void (await runInTrixie({ ...place, command: ["sh", "-c", makeData] })),
  };
}

/** @param server the database server
 *  @returns the number of its other clients; 0 if it does not answer */
export async function clientsOf({ setting }: LocalServer): Promise<number> {
  const statement = `select count(*)::int as count from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid()`;
  const rows = await asked(setting.slice(setting.indexOf("=") + 1), statement).catch(() => []);
  return rows[0]?.count ?? 0;
}

async function asked(url: string, statement: string): Promise<readonly { readonly count?: number }[]> {
  const sql = new SQL(url, { max: 1, connectionTimeout: 2 });
  try {
    return await sql.unsafe(statement);
  } finally {
    await sql.close({ timeout: 0 });
  }
}
