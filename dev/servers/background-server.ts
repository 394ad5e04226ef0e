import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { until } from "../until.ts";
import { childOf } from "./child-of.ts";
import { lastLines } from "./last-lines.ts";
import { entering, environment, type TrixieCommand } from "./trixie-server.ts";
import { systemPath } from "./trixie.ts";

/** A server that goes on after the process that started it has ended. */
export interface BackgroundServer extends Pick<TrixieCommand, "trixie" | "folder" | "user" | "command"> {
  /** The name in messages; the log is `{folder}/{name}.log`. */
  readonly name: string;
}

/** Starts a server in a session of its own. The server may not answer yet.
 *  @returns the server's process id
 *  @throws Error with the last lines of the log, if the server does not start */
export async function startInBackground({ name, ...command }: BackgroundServer): Promise<number> {
  mkdirSync(command.folder, { recursive: true });
  const logFile = join(command.folder, `${name}.log`);
  const log = openSync(logFile, "a");
  const namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"];
  const starter = Bun.spawn([...namespaces, ...entering(command)], {
    cwd: "/",
    env: { ...environment, PATH: systemPath },
    stdio: ["ignore", log, log],
    detached: true,
  });
  closeSync(log);
  starter.unref();
  try {
    const hasEnded = (): boolean => !existsSync(`/proc/${starter.pid}`) || starter.exitCode !== null;
    const pid = await until(() => childOf(starter.pid) ?? (hasEnded() ? 0 : undefined));
    if (pid !== 0) return pid;
  } catch {
    starter.kill("SIGKILL");
  }
  throw new Error(`${name} does not start:\n${lastLines(logFile)}`);
}
