import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { settingsIn } from "../supervisor/child-settings.ts";
import type { Counts, ManagedRole } from "../supervisor/managed-role.ts";
import type { ScaleResult, ShownInstance, StopResult } from "../supervisor/protocol.ts";
import { runPaths } from "../supervisor/run-paths.ts";
import { coordinatorNotes } from "./coordinator-notes.ts";
import { followLogs, logNames } from "./follow-logs.ts";
import { probeOrigin, waitUntilReady } from "./probe.ts";
import { endLost, lostProcesses, lostText, unknownText } from "./lost-processes.ts";
import { movesData, previousFolder } from "../setup-etcd/server-files.ts";
import { problemsIn } from "./problems-in.ts";
import { countForRole, countsForAll } from "./requested-counts.ts";
import { readStatusRows } from "./read-status-rows.ts";
import { readTargets, targetsText } from "./read-targets.ts";
import { statusTable } from "./status-table.ts";
import { SupervisorClient } from "./supervisor-client.ts";
import { waitForRecords } from "./wait-for-records.ts";
import { print, printText } from "../../src/terminal/print.ts";

/** A command, which returns its exit code. */
type Command = () => Promise<number>;

const readyTimeoutMs = 90_000;
/** A streamer's first message is stored within about a second after all are ready. */
const recordsTimeoutMs = 15_000;
const noRecords = `
The gateways show no GPU yet: no record was stored in ${recordsTimeoutMs / 1000} s. bun run telemetry queue shows whether messages wait.`;
const nextStart = `The next setup-etcd starts with empty data, and moves this data to ${previousFolder}, replacing what is there.
To go on with this data: KEEP_DATA=true bun run setup-etcd`;
const nothingRuns = "Nothing runs; INSTANCES=2 bun run scale-local starts two processes of each role.";

const env = process.env;
const paths = runPaths(env);
const client = new SupervisorClient(paths);

const commands: Readonly<Record<string, Command>> = {
  local,
  streamers: () => scaleRole("streamer"),
  collectors: () => scaleRole("collector"),
  gateways: () => scaleRole("gateway"),
  status,
  logs,
  restart,
  stop,
};

/** The names of the commands. */
export const scaleCommands = Object.keys(commands);

/** The command of this name; undefined if there is none. */
export function scaleCommand(name: string): Command | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}

async function local(): Promise<number> {
  const counts = countsForAll(env, await runningCounts());
  return await scale({ counts, isAwaited: () => true, waitsForRecords: true });
}

async function scaleRole(role: ManagedRole): Promise<number> {
  const isAwaited = (instance: ShownInstance): boolean => instance.role === role;
  return await scale({ counts: countForRole(role, env), isAwaited, waitsForRecords: false });
}

async function runningCounts(): Promise<Partial<Counts>> {
  if (await client.isNothingRunning()) return {};
  const roles = Object.entries((await client.status()).roles);
  return Object.fromEntries(roles.map(([role, { count }]) => [role, count]));
}

interface ScaleCommand {
  readonly counts: Partial<Counts>;
  /** True for the processes that must be ready before the command ends. */
  readonly isAwaited: (instance: ShownInstance) => boolean;
  /** True if a gateway must show GPUs, too. */
  readonly waitsForRecords: boolean;
}

async function scale({ counts, isAwaited, waitsForRecords }: ScaleCommand): Promise<number> {
  const unknown = await lostProcesses(paths, client);
  if (unknown.length > 0) {
    // they have the ports that new processes would get
    print(lostText(unknown));
    return 1;
  }
  const { started, stopping } = await client.scale(counts, settingsIn(env));
  if (started.length > 0) rmSync(paths.stopped, { force: true });
  printScaled({ started, stopping });
  const origin = await currentOrigin();
  // a command that only stops processes does not wait for those that it leaves alone
  const isOnlyLess = started.length === 0 && stopping.length > 0;
  const late = await waitUntilReady({
    ...{ client, origin, timeoutMs: readyTimeoutMs },
    isAwaited: (instance) => !isOnlyLess && instance.phase !== "STOPPING" && isAwaited(instance),
  });
  await waitUntilGone(stopping);
  const lost = await stoppedMeanwhile(started);
  const isEmpty =
    waitsForRecords && late.length === 0 && !(await waitForRecords({ client, origin, timeoutMs: recordsTimeoutMs }));
  await status();
  if (late.length > 0) print(`\n${listed(late.map(({ name }) => name))} not ready; bun run scale-logs shows the logs`);
  if (lost.length > 0) print(`\nStopped by another command before this one ended: ${listed(lost)}`);
  if (isEmpty) print(noRecords);
  return late.length + lost.length > 0 ? 1 : 0;
}

/** Those of the processes that are no longer wanted. */
async function stoppedMeanwhile(started: readonly string[]): Promise<readonly string[]> {
  if (await client.isNothingRunning()) return started;
  const { instances } = await client.status();
  const wanted = new Set(instances.filter(({ phase }) => phase !== "STOPPING").map(({ name }) => name));
  return started.filter((name) => !wanted.has(name));
}

function printScaled({ started, stopping }: Pick<ScaleResult, "started" | "stopping">): void {
  if (started.length > 0) print(`Starting ${listed(started)}`);
  if (stopping.length > 0) print(`Stopping ${listed(stopping)}`);
}

async function waitUntilGone(names: readonly string[]): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    (await client.status()).instances.some(({ name, phase }) => names.includes(name) && phase === "STOPPING");
  while (names.length > 0 && (await isThere())) await Bun.sleep(100);
}

async function status(): Promise<number> {
  if (await client.isNothingRunning()) {
    print(await nothingText());
    return 1;
  }
  const shown = await client.status();
  const { instances, error } = shown;
  const settings = await client.settings();
  const [rows, targets] = await Promise.all([readStatusRows(instances, settings), readTargets(settings)]);
  print(instances.length === 0 ? nothingRuns : statusTable(rows, process.stdout.columns || undefined));
  const notes = coordinatorNotes(shown, settings, Date.now());
  if (notes.length > 0) printText(`\n${notes.join("\n")}`);
  const problems = [await problemsIn(rows, settings), targetsText(targets) ?? [], error ?? []].flat();
  if (problems.length > 0) printText(`\n${problems.join("\n")}`);
  const lost = await lostProcesses(paths, client);
  if (lost.length > 0) print(`\n${lostText(lost)}`);
  const isBad = instances.length === 0 || lost.length > 0 || instances.some(({ is_crash_loop: isLoop }) => isLoop);
  return isBad ? 1 : 0;
}

/** For a command that finds no supervisor. */
async function nothingText(): Promise<string> {
  const lost = await lostProcesses(paths, client);
  if (lost.length > 0) return lostText(lost);
  return [nothingRuns, unknownText(paths, process.platform) ?? []].flat().join("\n");
}

async function logs(): Promise<number> {
  if (logNames(paths.logs).length === 0) {
    print(`There are no logs in ${paths.logs} yet.`);
    return 1;
  }
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ended.abort());
  // the reader of a pipe, such as head, has closed it
  process.stdout.on("error", () => ended.abort());
  const isOver = (): Promise<boolean> => client.isNothingRunning();
  await followLogs({ folder: paths.logs, print, isOver, signal: ended.signal });
  if (!ended.signal.aborted) print(`\n${await nothingText()}`);
  return 0;
}

/** Restarts one process after another; each must be ready before the next one stops. The balancer keeps running: clients are
 *  connected to it. */
async function restart(): Promise<number> {
  if (await client.isNothingRunning()) {
    print(await nothingText());
    return 1;
  }
  const { instances } = await client.status();
  const origin = await currentOrigin();
  for (const { name, pid } of instances.filter(({ role }) => role !== "balancer")) {
    const startedMs = Date.now();
    await client.restart(name, settingsIn(env));
    const isAwaited = (each: ShownInstance): boolean => each.name === name;
    const isOld = (each: ShownInstance): boolean => each.pid === pid;
    const late = await waitUntilReady({ client, origin, timeoutMs: readyTimeoutMs, isAwaited, isOld });
    if (late.length > 0) {
      print(
        `${name} is not ready: ${late[0]?.last_error ?? "bun run scale-logs shows why"}; the others were not restarted`,
      );
      return 1;
    }
    print(`${name} restarted in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
  }
  return 0;
}

async function stop(): Promise<number> {
  const isNothing = await client.isNothingRunning();
  const known = isNothing ? { stopped: [], killed: [] } : await client.stop();
  const lost = await lostProcesses(paths, client);
  const ended = await endLost(lost);
  for (const { name } of lost) rmSync(paths.pidFile(name), { force: true });
  if (isNothing && lost.length === 0)
    print(["Nothing runs.", unknownText(paths, process.platform) ?? []].flat().join("\n"));
  else printStopped({ stopped: [...known.stopped, ...ended.stopped], killed: [...known.killed, ...ended.killed] });
  mkdirSync(paths.folder, { recursive: true });
  writeFileSync(paths.stopped, "");
  if (movesData(paths.folder)) print(nextStart);
  return 0;
}

function printStopped({ stopped, killed }: StopResult): void {
  print(stopped.length === 0 ? "Nothing was running." : `Stopped ${listed(stopped)}`);
  if (killed.length > 0) print(`${listed(killed)} did not end in SHUTDOWN_TIMEOUT_SECONDS and had to be killed`);
}

async function currentOrigin(): Promise<string> {
  return probeOrigin(await client.settings());
}

/** "collector-1, collector-2 and gateway-1" */
function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
