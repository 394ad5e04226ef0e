import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { isRunning } from "../supervisor/process-identity.ts";
import { runPaths } from "../supervisor/run-paths.ts";
import type { LocalServer } from "./local-server.ts";

const savedServerSchema = Type.Object({
  pid: Type.Integer({ minimum: 1 }),
  startedAt: Type.String(),
  port: Type.Integer({ minimum: 1 }),
});

/** A server that setup-etcd has started. */
export type SavedServer = Static<typeof savedServerSchema>;

/** The folder of all servers, as it is named in messages. */
export const serversFolder = "data/servers";
/** Where the data goes when setup-etcd starts with empty data. */
export const previousFolder = `${serversFolder}.previous`;
const { stopped: stoppedFile } = runPaths(process.env);

/** The folder of one server, which the server sees as /srv. */
export const folderOf = ({ name }: LocalServer): string => resolve(serversFolder, name);

const fileOf = (server: LocalServer): string => join(folderOf(server), "process.json");

/** The process of a server that setup-etcd has started here; undefined if it does not run. */
export function runningServer(server: LocalServer): SavedServer | undefined {
  try {
    const saved: unknown = JSON.parse(readFileSync(fileOf(server), "utf8"));
    return Value.Check(savedServerSchema, saved) && isRunning(saved) ? saved : undefined;
  } catch {
    return undefined;
  }
}

export function saveServer(server: LocalServer, saved: SavedServer): void {
  writeFileSync(fileOf(server), `${JSON.stringify(saved)}\n`);
}

/** True after scale-stop, until processes are started again. */
export const isStopped = (): boolean => existsSync(stoppedFile);

/** Records that setup-etcd has done what follows from the stop: the data was moved away, or is kept. */
export function forgetStop(): void {
  rmSync(stoppedFile, { force: true });
}

const haveData = (): boolean => existsSync(resolve(serversFolder));

/** True if the next setup-etcd would move data away.
 *  @param runFolder where scale-stop writes that everything has stopped: elsewhere, it belongs to other servers */
export const movesData = (runFolder: string): boolean =>
  dirname(runFolder) === dirname(resolve(serversFolder)) && haveData();

/** Moves the data of the servers away; data that was moved away earlier is deleted.
 *  @returns false if there was no data */
export function moveDataAway(): boolean {
  if (!haveData()) return false;
  rmSync(resolve(previousFolder), { recursive: true, force: true });
  renameSync(resolve(serversFolder), resolve(previousFolder));
  return true;
}

/** Makes the folder in which the servers' folder is.
 *  @returns the file that a running setup-etcd locks */
export function makeDataFolder(): string {
  mkdirSync(dirname(resolve(serversFolder)), { recursive: true });
  return resolve(`${serversFolder}.lock`);
}
