import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { freePorts } from "./free-ports.ts";
import { makeRunFolder } from "./run-folder.ts";
import { TrixieServer } from "./trixie-server.ts";
import { trixieFolder } from "./trixie.ts";

/** A running pgbouncer in front of a database. */
export interface Pgbouncer {
  /** The URL of the database through pgbouncer. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts pgbouncer in front of the database of a URL, whose server trusts every client.
 *  @param settings lines of its configuration, such as `pool_mode = transaction`
 *  @throws Error with the last lines of its log */
export async function startPgbouncer(databaseUrl: string, settings: readonly string[]): Promise<Pgbouncer> {
  const { hostname, port: serverPort, pathname, username } = new URL(databaseUrl);
  const trixie = await trixieFolder();
  const [port] = (await freePorts(1)) as [number];
  const folder = makeRunFolder();
  const lines = [
    ...["[databases]", `* = host=${hostname} port=${serverPort} user=${username}`],
    ...["[pgbouncer]", "listen_addr = 127.0.0.1", `listen_port = ${port}`, "unix_socket_dir =", "auth_type = any"],
    ...settings,
  ];
  writeFileSync(join(folder.path, "pgbouncer.ini"), `${lines.join("\n")}\n`, { mode: 0o644 });
  const url = `postgres://${username}@127.0.0.1:${port}${pathname}`;
  const command = ["/usr/sbin/pgbouncer", "/srv/pgbouncer.ini"];
  const server = new TrixieServer({
    ...{ trixie, folder: folder.path, user: "daemon", name: "pgbouncer", command },
    answers: () => answers(url),
  });
  const stop = async (): Promise<void> => {
    await server.kill();
    await folder.remove();
  };
  try {
    await server.start();
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answers(url: string): Promise<boolean> {
  const sql = new SQL(url, { max: 1, connectionTimeout: 2, prepare: false });
  try {
    await sql.unsafe("select 1").simple();
    return true;
  } finally {
    await sql.close({ timeout: 0 });
  }
}
