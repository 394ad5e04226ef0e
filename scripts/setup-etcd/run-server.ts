import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startInBackground } from "../../dev/servers/background-server.ts";
import { isFree } from "../../dev/servers/free-ports.ts";
import { lastLines } from "../../dev/servers/last-lines.ts";
import { reasonAgainstTrixie, trixieFolder } from "../../dev/servers/trixie.ts";
import { until } from "../../dev/until.ts";
import { identify, isRunning, signalProcess } from "../supervisor/process-identity.ts";
import type { LocalServer } from "./local-server.ts";
import { folderOf, runningServer, type SavedServer, saveServer } from "./server-files.ts";
/** Recovery after a crash, or an end with much to write, takes seconds on a busy machine. */
const limitMs = 60_000;

const answersNow = (server: LocalServer): Promise<boolean> => server.answers().catch(() => false);

/** Checks that a server of this folder, if it runs, has the port that it should have.
 *  @throws Error with a sentence for people */
export function refuseOtherPort(server: LocalServer): void {
  const { title, port, portVariable, namedBy } = server;
  const running = runningServer(server);
  if (running === undefined || running.port === port) return;
  const remedy =
    namedBy === undefined
      ? `stop it with bun run stop-etcd, or set ${portVariable}=${running.port}`
      : `${namedBy} names port ${port}: let it name ${running.port}, or stop the server with bun run stop-etcd without ${namedBy}`;
  throw new Error(`${title} already runs on port ${running.port}; ${remedy}`);
}

/** Starts a server unless one answers on its port, and waits until it answers.
 *  @returns "started", or "running" if it answered already
 *  @throws Error with a sentence for people */
export async function ensureServer(server: LocalServer): Promise<"started" | "running"> {
  const running = runningServer(server);
  if (await answersNow(server)) return "running";
  if (running !== undefined) return untilAnswering(server, running);
  await refuseIfImpossible(server);
  const { command, name } = server;
  const place = { trixie: await trixieFolder(), folder: folderOf(server), user: name };
  mkdirSync(place.folder, { recursive: true });
  await server.prepare(place);
  const pid = await startInBackground({ ...place, name, command });
  const saved = { ...(identify(pid) ?? { pid, startedAt: "" }), port: server.port };
  saveServer(server, saved);
  return untilAnswering(server, saved);
}

async function refuseIfImpossible({ title, port, portVariable, setting }: LocalServer): Promise<void> {
  if (!(await isFree(port))) {
    throw new Error(
      `${title} cannot use port ${port}: another program listens there and does not answer as ${setting} needs it; stop it, or set ${portVariable}`,
    );
  }
  const reason = reasonAgainstTrixie();
  if (reason === undefined) return;
  const name = setting.slice(0, setting.indexOf("="));
  throw new Error(
    `${title} cannot be started here, because that needs root on Debian and ${reason}; start one yourself, for example from compose.yaml, and set ${name}`,
  );
}

async function untilAnswering(server: LocalServer, saved: SavedServer): Promise<"started"> {
  const outcome = await until(async () => ((await answersNow(server)) ? "answers" : !isRunning(saved) && "ended"), {
    timeoutMs: limitMs,
    everyMs: 50,
  }).catch(() => "silent");
  if (outcome === "answers") return "started";
  const what = outcome === "ended" ? "ended during its start" : `does not answer after ${limitMs / 1000} s`;
  throw new Error(`${server.title} ${what}:\n${lastLines(join(folderOf(server), `${server.name}.log`))}`);
}

/** @returns true if the server ran
 *  @throws Error if it does not end */
export async function stopServer(server: LocalServer): Promise<boolean> {
  const running = runningServer(server);
  if (running === undefined) return false;
  signalProcess(running, server.stopSignal);
  await until(() => !isRunning(running), { timeoutMs: limitMs }).catch(() => {
    throw new Error(
      `${server.title} (process ${running.pid}) has not ended ${limitMs / 1000} s after ${server.stopSignal}`,
    );
  });
  return true;
}
