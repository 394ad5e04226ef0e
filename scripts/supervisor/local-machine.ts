import { closeSync, fchmodSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Subprocess } from "bun";
import { environmentOf, portOf, type Settings, settingsKey, withoutSettings } from "./child-settings.ts";
import type { Machine } from "./instance.ts";
import { lastErrorLine, lastWords, sizeOf } from "./log-file.ts";
import type { ManagedRole } from "./managed-role.ts";
import { identify, isRunning, signalProcess } from "./process-identity.ts";
import type { RunPaths } from "./run-paths.ts";
import type { SavedProcess } from "./saved-state.ts";
import { printError } from "../../src/terminal/print.ts";

const root = join(import.meta.dir, "../..");
const mainFile = join(root, "src/main.ts");
const balancerFile = join(root, "scripts/balancer.ts");

/** Starts and ends processes of the pipeline on this machine. They are not tied to the supervisor: each has a session of its own
 *  and writes its log itself. */
export class LocalMachine implements Machine {
  /** The processes that this supervisor started: only of these is the exit code known. */
  private readonly children = new Map<number, Subprocess>();
  private readonly environment = withoutSettings(process.env);

  constructor(
    private readonly paths: RunPaths,
    private readonly settings: () => Settings,
  ) {}

  nowMs(): number {
    return Date.now();
  }

  start(role: ManagedRole, number: number): SavedProcess {
    const settings = this.settings();
    const { paths, environment } = this;
    const [name, port] = [`${role}-${number}`, portOf(role, number, settings)];
    refuseUsedPort(settings.HOST ?? "127.0.0.1", port);
    const logOffset = sizeOf(paths.logFile(name));
    const child = spawnInto(paths.logFile(name), {
      program: role === "balancer" ? balancerFile : mainFile,
      env: { ...environment, ...environmentOf({ role, number, socket: paths.socket }, settings) },
    });
    const identity = identify(child.pid) ?? { pid: child.pid, startedAt: "ended at once" };
    this.children.set(child.pid, child);
    const started = { ...identity, startedAtMs: Date.now(), port, settingsKey: settingsKey(settings), logOffset };
    this.remember(name, started);
    return started;
  }

  isRunning(process: SavedProcess): boolean {
    const child = this.children.get(process.pid);
    // the system knows the end of a child a moment before its exit code is known here
    if (child !== undefined) return child.exitCode === null && child.signalCode === null;
    return isRunning(process);
  }

  signal(process: SavedProcess, signal: NodeJS.Signals): void {
    signalProcess(process, signal);
  }

  reasonOfEnd(name: string, { pid, logOffset }: SavedProcess): string {
    const child = this.children.get(pid);
    this.children.delete(pid);
    if (child?.signalCode) return `it was ended by ${child.signalCode}`;
    const logFile = this.paths.logFile(name);
    // an earlier supervisor started it, so that the signal or exit code is not known: its last line may be the one of its start
    const line = child === undefined ? lastErrorLine(logFile, logOffset) : lastWords(logFile, logOffset);
    const how = child === undefined ? "it ended" : `it ended with exit code ${child.exitCode}`;
    return line === undefined ? `${how}, and wrote no error to ${logFile}` : `${how}: ${line}`;
  }

  remember(name: string, { pid }: SavedProcess): void {
    try {
      writeFileSync(this.paths.pidFile(name), `${pid}\n`, { mode: 0o600 });
    } catch (error) {
      // the supervisor's state has the process, too
      printError(`cannot write ${this.paths.pidFile(name)}: ${(error as Error).message}`);
    }
  }

  forget(name: string): void {
    rmSync(this.paths.pidFile(name), { force: true });
  }
}

function spawnInto(
  logFile: string,
  { program, env }: { readonly program: string; readonly env: Settings },
): Subprocess {
  // it may have been deleted since the last start
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, "a", 0o600);
  // one of an earlier version, or of another umask
  fchmodSync(log, 0o600);
  try {
    return Bun.spawn([process.execPath, program], { env, detached: true, stdio: ["ignore", log, log] });
  } finally {
    closeSync(log);
  }
}

/** @throws Error if another process listens on the port */
function refuseUsedPort(hostname: string, port: number): void {
  try {
    void Bun.listen({ hostname, port, socket: { data: () => undefined } }).stop(true);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code === "EADDRINUSE" ? `port ${port} is used by another process` : `port ${port}: ${message}`, {
      cause: error,
    });
  }
}
