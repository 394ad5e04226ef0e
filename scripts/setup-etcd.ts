import { until } from "../dev/until.ts";
import { trixieFolder } from "../dev/servers/trixie.ts";
import { clientsOf, type LocalServer, localServers } from "./setup-etcd/local-server.ts";
import { ensureServer, refuseOtherPort, stopServer } from "./setup-etcd/run-server.ts";
import {
  forgetStop,
  isStopped,
  makeDataFolder,
  moveDataAway,
  previousFolder,
  runningServer,
  serversFolder,
} from "./setup-etcd/server-files.ts";
import { ownProcesses } from "./supervisor/own-processes.ts";
import { isRunning } from "./supervisor/process-identity.ts";
import { runPaths } from "./supervisor/run-paths.ts";
import { StateFile } from "./supervisor/saved-state.ts";
import { takeLock } from "./supervisor/supervisor-lock.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Starts etcd and TimescaleDB in the background and returns when they answer; does nothing if they already do.
  bun run setup-etcd    after scale-stop: starts with empty data, and moves the old data to ${previousFolder},
                        replacing what is there; with KEEP_DATA=true, goes on with the data
  bun run stop-etcd     stops both and keeps their data
The data is in ${serversFolder}. Ports: ETCD_PORT (2379), POSTGRES_PORT (5432), or those of ETCD_ENDPOINTS and DATABASE_URL.
Needs root on Debian.
`;

/** Stops the servers of this checkout and moves their data away, unless a client is connected. */
async function startAfresh(servers: readonly LocalServer[], database: LocalServer): Promise<void> {
  const clients = await clientsOf(database);
  if (clients > 0) {
    print(
      `The data is kept, because clients are connected to the database (${clients}): stop them to start with empty data.`,
    );
    return;
  }
  await Promise.all(servers.map(stopServer));
  forgetStop();
  if (moveDataAway()) {
    print(
      `Everything was stopped by scale-stop, so the servers start with empty data; the old data is in ${previousFolder}.`,
    );
  }
}

/** @throws Error if KEEP_DATA is neither true nor false */
function keepsData({ KEEP_DATA: given = "false" }: NodeJS.ProcessEnv): boolean {
  if (given !== "true" && given !== "false")
    throw new Error(`KEEP_DATA=${given} is not usable: expected true or false`);
  return given === "true";
}

async function start(): Promise<void> {
  const keeps = keepsData(process.env);
  const servers = localServers(process.env);
  const [etcd, database] = servers;
  for (const server of servers) refuseOtherPort(server);
  if (keeps) forgetStop();
  else if (isStopped()) await startAfresh(servers, database);
  const outcomes = await Promise.allSettled(servers.map(ensureServer));
  const failed = outcomes.flatMap((each) => (each.status === "rejected" ? [each.reason as Error] : []));
  for (const [index, server] of servers.entries()) {
    const outcome = outcomes[index];
    if (outcome?.status === "fulfilled") print(lineOf(server, outcome.value));
  }
  if (failed.length > 0) throw new Error(failed.map(({ message }) => message).join("\n"));
  print(`\n${etcd.setting}\n${database.setting}`);
  if (runningServer(etcd) !== undefined && Bun.which("etcdctl") === null) {
    print(
      `\netcdctl is not installed (apt-get install etcd-client); there is one at ${await trixieFolder()}/usr/bin/etcdctl`,
    );
  }
}

function lineOf(server: LocalServer, outcome: "started" | "running"): string {
  const where = runningServer(server) === undefined ? ", started by another program" : "";
  return `${server.title} ${outcome === "started" ? "runs" : "already runs"} on localhost:${server.port}${where}`;
}

async function stop(): Promise<void> {
  const servers = localServers(process.env);
  for (const server of servers) if (server.namedBy !== undefined) refuseOtherPort(server);
  for (const server of servers) {
    const hasRun = await stopServer(server);
    print(hasRun ? `${server.title} has stopped` : `${server.title} was not running`);
  }
  const names = processesHere().sort();
  if (names.length > 0)
    print(`Still running, and in need of both: ${names.join(", ")}; bun run scale-stop stops them.`);
}

/** The names of the processes that the scale commands of this folder have started. */
function processesHere(): string[] {
  const { socket, state } = runPaths(process.env);
  const own = ownProcesses(socket);
  if (own !== undefined) return own.map(({ name }) => name);
  const saved = new StateFile(state).read()?.instances ?? [];
  return saved.flatMap(({ role, number, process: left }) =>
    left !== undefined && isRunning(left) ? [`${role}-${number}`] : [],
  );
}

/** Runs a command while no other setup-etcd or stop-etcd of this folder runs. */
async function alone(command: () => Promise<void>): Promise<void> {
  const lock = await until(() => takeLock(makeDataFolder()), { timeoutMs: 180_000, everyMs: 200 }).catch(() => {
    throw new Error("another setup-etcd or stop-etcd has been running for 3 minutes; wait for its end, or stop it");
  });
  await command();
  lock.close();
}

const commands: Readonly<Record<string, () => Promise<void>>> = { start: () => alone(start), stop: () => alone(stop) };

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  const command = commands[process.argv[2] ?? "start"];
  if (command === undefined) print(usage);
  else await command();
  process.exit(0);
} catch (error) {
  printError((error as Error).message);
  process.exit(1);
}
