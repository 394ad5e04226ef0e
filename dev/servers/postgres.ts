import { existsSync, renameSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { SQL } from "bun";
import { type ClientCertificate, makeCertificates } from "./certificates.ts";
import { freePorts } from "./free-ports.ts";
import { binaries, postgresCommand } from "./postgres-command.ts";
import { copyFolder, type PostgresStandby, standbyOf } from "./postgres-standby.ts";
import { makeRunFolder } from "./run-folder.ts";
import { mountSmallDisks, type SmallDisk, type SmallDisks } from "./small-disk.ts";
import { runInTrixie, TrixieServer } from "./trixie-server.ts";
import { cacheFolder, trixieFolder } from "./trixie.ts";

/** A running PostgreSQL with TimescaleDB loaded. */
export interface PostgresServer {
  /** The superuser's URL of the database `telemetry`, which is empty at first. */
  readonly url: string;
  /** The process id of the server's first process on this machine. */
  readonly pid: number;
  /** Sends a signal, SIGKILL by default, and waits until all processes of the server have ended. SIGINT is PostgreSQL's fast
   *  shutdown. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts the server again if it is down, with the same data and port; resolves when it answers, after any recovery. */
  start(): Promise<void>;
  /** Sends a signal, such as SIGSTOP or SIGCONT, to all processes of the server and does not wait. */
  signal(signal: NodeJS.Signals): void;
  /** Undefined unless `diskBytes` was given. */
  readonly disks: Readonly<Record<PostgresDisk, SmallDisk>> | undefined;
  readonly standby: PostgresStandby;
  /** The server's authority, and a client's certificate; undefined unless `tls` was given. */
  readonly certificates: ClientCertificate | undefined;
  /** Puts certificates of another authority in place of all files, and has the server read them: it trusts none of before. Connections stay
   *  as they are. Only with `tls`. */
  renewCertificates(): Promise<void>;
  /** Stops the server and removes its data. */
  readonly stop: () => Promise<void>;
}

/** `tables` has the tablespace `tables`; `cluster` has everything else, including the write-ahead log. */
export type PostgresDisk = "cluster" | "tables";

export interface PostgresOptions {
  /** Address to listen on; absent: 127.0.0.1. */
  readonly host?: string;
  /** Network namespace to run in; absent: the machine's own. */
  readonly netns?: string;
  /** Puts the data on small disks of these sizes, at least 192 MiB for `cluster`, and creates a tablespace `tables`. */
  readonly diskBytes?: Readonly<Record<PostgresDisk, number>>;
  /** True: the server has TLS, with a certificate for 127.0.0.1, and listens on 127.0.0.2 too, for which its certificate does not hold. */
  readonly tls?: boolean;
}

/** A script that makes a data directory. A server on that directory trusts every client. The script creates the database in
 *  single-user mode, which needs no server. */
const makeTemplate = `
  set -eu
  ${binaries}/initdb --pgdata=/srv/data --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync
  echo "host all all all trust" >> /srv/data/pg_hba.conf
  echo "create database telemetry" | ${binaries}/postgres --single -D /srv/data postgres
  sync -f /srv/data`;

/** Starts PostgreSQL 17 with new data, which is removed by `stop`, or when this process ends. PostgreSQL syncs as in
 *  production: committed data survives a kill.
 *  @throws Error with the last lines of the server's log, the output of a command that failed, or the missing requirement */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const { host = "127.0.0.1", netns, diskBytes, tls = false } = options;
  const trixie = await trixieFolder();
  const template = await templateFolder(trixie);
  const [port] = (await freePorts(1)) as [number];
  const folder = makeRunFolder();
  const url = `postgres://postgres@${host}:${port}/telemetry`;
  const disks = diskBytes === undefined ? undefined : await mountDisks(folder.path, diskBytes, statSync(template).uid);
  const place = { trixie, folder: folder.path, user: "postgres", mounts: disks?.mounts } as const;
  const data = disks?.cluster.path ?? join(folder.path, "data");
  const certificates = tls ? await makeCertificates(place, []) : undefined;
  const settings = { ...(disks === undefined ? {} : smallDiskSettings), ...(tls ? tlsSettings : {}) };
  const server = new TrixieServer({
    ...place,
    netns,
    name: "postgres",
    command: postgresCommand({ host, port }, settings),
    answers: () => answers(url),
  });
  const stop = async (): Promise<void> => {
    await server.kill();
    await disks?.unmount();
    await folder.remove();
  };
  try {
    await copyFolder(template, data);
    await server.start();
    if (disks !== undefined) await runSql(url, "create tablespace tables location '/srv/tables'");
  } catch (error) {
    await stop();
    throw error;
  }
  const standby = standbyOf({ data, tables: disks?.tables.path, copy: join(folder.path, "copy") }, place);
  const renewCertificates = async (): Promise<void> => {
    await makeCertificates(place, []);
    server.signal("SIGHUP");
  };
  return serverOf(server, { url, disks, standby, certificates, renewCertificates, stop });
}

function serverOf(
  server: TrixieServer,
  rest: Pick<PostgresServer, "url" | "disks" | "standby" | "certificates" | "renewCertificates" | "stop">,
): PostgresServer {
  return {
    ...rest,
    get pid() {
      return server.pid;
    },
    kill: (signal) => server.kill(signal),
    start: () => server.start(),
    signal: (signal) => server.signal(signal),
  };
}

interface MountedDisks extends Record<PostgresDisk, SmallDisk>, Pick<SmallDisks, "mounts" | "unmount"> {}

async function mountDisks(
  folder: string,
  { cluster, tables }: Readonly<Record<PostgresDisk, number>>,
  ownerId: number,
): Promise<MountedDisks> {
  const disks = [
    { path: join(folder, "data"), bytes: cluster },
    { path: join(folder, "tables"), bytes: tables },
  ];
  const { mounted, mounts, unmount } = await mountSmallDisks(disks, ownerId);
  const [data, tablespace] = mounted as [SmallDisk, SmallDisk];
  return { cluster: data, tables: tablespace, mounts, unmount };
}

const tlsSettings = {
  ssl: "on",
  ssl_cert_file: "/srv/server.pem",
  ssl_key_file: "/srv/server-key.pem",
  ssl_ca_file: "/srv/ca.pem",
  listen_addresses: "127.0.0.1,127.0.0.2",
};

/** With these, the write-ahead log stays small, and each new segment needs new space. */
const smallDiskSettings = { min_wal_size: "32MB", max_wal_size: "48MB", wal_recycle: "off" };

/** A data directory to copy, created once for each trixie folder and version of the script. Copying it takes a tenth of
 *  initdb's time. */
async function templateFolder(trixie: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256").update(makeTemplate).digest("hex").slice(0, 12);
  const target = join(cacheFolder(), `${basename(trixie)}-postgres-${hash}`);
  if (existsSync(target)) return target;
  const folder = makeRunFolder(cacheFolder(), `${basename(target)}.building`);
  try {
    await runInTrixie({ trixie, folder: folder.path, user: "postgres", command: ["sh", "-c", makeTemplate] });
    renameSync(join(folder.path, "data"), target);
  } catch (error) {
    // not an error if another process has created the directory meanwhile
    if (!existsSync(target)) throw error;
  } finally {
    await folder.remove();
  }
  return target;
}

async function answers(url: string): Promise<boolean> {
  await runSql(url, "select 1");
  return true;
}

async function runSql(url: string, statement: string): Promise<void> {
  const sql = new SQL(url, { max: 1, connectionTimeout: 2 });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.close({ timeout: 0 });
  }
}
