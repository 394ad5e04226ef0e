import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { keepFilesPrivate } from "../src/kit/private-files.ts";
import { nameProcess } from "../src/kit/process-name.ts";
import { makeLog } from "../src/terminal/log.ts";
import { LocalMachine } from "./supervisor/local-machine.ts";
import { rotateLog } from "./supervisor/log-file.ts";
import { type RunPaths, runPaths, supervisorName } from "./supervisor/run-paths.ts";
import { StateFile } from "./supervisor/saved-state.ts";
import { Supervisor } from "./supervisor/supervisor.ts";
import { RunPlace } from "./supervisor/run-place.ts";
import { type Lock, takeLock } from "./supervisor/supervisor-lock.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { printError } from "../src/terminal/print.ts";

const usage = `The background process of the scale-* commands, which start it when they need it.
  bun scripts/supervisor.ts
Ends after scale-stop, and when nothing is left to run. A second supervisor for the same folder ends at once. A signal ends only the
supervisor: its processes go on, and the next command starts a supervisor that takes them over.`;

const tickMs = 100;
const ticksPerRotation = 50;
/** A log that has reached this size becomes `.log.1`. */
const logMaxBytes = 10 * 1024 * 1024;
/** The first command of a fresh supervisor comes at once. */
const idleMs = 5000;

async function supervise(paths: RunPaths, lock: Lock): Promise<void> {
  const log = await makeLog("info", false);
  const supervisor = new Supervisor({
    stateFile: new StateFile(paths.state),
    machine: (settings) => new LocalMachine(paths, settings),
    log,
  });
  // a new pipeline begins new logs: an error of an earlier one would mislead
  if (!supervisor.hasTakenOver) putLogsAside(paths);
  let isOver = false;
  const end = (): void => void (isOver = true);
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
  let place: RunPlace | undefined = new RunPlace({ paths, lock, supervisor, onStopped: end });
  log.info("the supervisor runs");
  let idleSinceMs = Date.now();
  for (let ticks = 0; !isOver && place !== undefined; ticks += 1) {
    supervisor.tick();
    if (ticks % ticksPerRotation === 0) rotateLogs(paths);
    if (!supervisor.isIdle || place.isBusy) idleSinceMs = Date.now();
    else if (Date.now() - idleSinceMs > idleMs) break;
    if (place.isLost) place = reopen(place, log);
    await Bun.sleep(tickMs);
  }
  await place?.close();
  log.info("the supervisor has ended");
}

/** Makes the files again that were deleted, for example by `rm -rf data`, while processes run. */
function reopen(lost: RunPlace, log: Logger): RunPlace | undefined {
  const place = lost.reopen();
  if (place === undefined)
    log.error("another supervisor runs in the same folder, which was deleted while this one ran");
  else log.warn("the supervisor's files were deleted; they are there again");
  return place;
}

function putLogsAside({ logs, logFile }: RunPaths): void {
  const own = logFile(supervisorName);
  for (const path of logsIn(logs)) if (path !== own) renameSync(path, `${path}.1`);
  // this process writes to it
  rotateLog(own, 1);
}

function rotateLogs({ logs }: RunPaths): void {
  try {
    for (const path of logsIn(logs)) rotateLog(path, logMaxBytes);
  } catch {
    // the disk may be full; the logs are looked at again soon
  }
}

function logsIn(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((file) => (file.endsWith(".log") ? [join(folder, file)] : []));
}

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const paths = runPaths(process.env);
try {
  nameProcess(`nexus-${supervisorName}`);
  keepFilesPrivate();
  mkdirSync(paths.folder, { recursive: true });
  mkdirSync(paths.logs, { recursive: true });
  const lock = takeLock(paths.lock);
  if (lock !== undefined) await supervise(paths, lock);
  process.exit(0);
} catch (error) {
  printError((error as Error).message);
  process.exit(1);
}
