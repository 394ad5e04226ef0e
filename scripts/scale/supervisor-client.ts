import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { messageOf } from "../../src/kit/message-of.ts";
import type { Settings } from "../supervisor/child-settings.ts";
import { lastWords, sizeOf } from "../supervisor/log-file.ts";
import type { Counts } from "../supervisor/managed-role.ts";
import { isRunning } from "../supervisor/process-identity.ts";
import type { ScaleResult, Status, StopResult } from "../supervisor/protocol.ts";
import { type RunPaths, supervisorName } from "../supervisor/run-paths.ts";
import { StateFile } from "../supervisor/saved-state.ts";

/** Linux refuses longer paths of sockets. Source: https://man7.org/linux/man-pages/man7/unix.7.html */
const socketPathMaxBytes = 107;
const startTimeoutMs = 20_000;
const supervisorFile = join(import.meta.dir, "../supervisor.ts");

/** Calls the supervisor, and starts it if it does not run. */
export class SupervisorClient {
  constructor(private readonly paths: RunPaths) {}

  /** True if no supervisor runs, and none has left processes behind. */
  async isNothingRunning(): Promise<boolean> {
    const { instances = [] } = new StateFile(this.paths.state).read() ?? {};
    if (instances.some(({ process: left }) => left !== undefined && isRunning(left))) return false;
    return (await this.tryStatus()) === undefined;
  }

  /** The ids of the processes that the supervisor, or the state of an earlier one, has. */
  async knownPids(): Promise<ReadonlySet<number>> {
    const status = await this.tryStatus();
    const saved = status === undefined ? new StateFile(this.paths.state).read() : undefined;
    const known = saved?.instances.flatMap(({ process: left }) =>
      left !== undefined && isRunning(left) ? [left] : [],
    );
    return new Set((known ?? status?.instances ?? []).flatMap(({ pid }) => pid ?? []));
  }

  /** @throws Error with a sentence for people */
  async status(): Promise<Status> {
    return (await this.tryStatus()) ?? (await this.start());
  }

  async settings(): Promise<Settings> {
    return (await this.get("/settings")) as Settings;
  }

  async scale(counts: Partial<Counts>, settings: Settings): Promise<ScaleResult> {
    await this.status();
    return (await this.post("/scale", { counts, settings })) as ScaleResult;
  }

  async restart(name: string, settings: Settings): Promise<void> {
    await this.post(`/instances/${encodeURIComponent(name)}/restart`, { settings });
  }

  async stop(): Promise<StopResult> {
    await this.status();
    const result = (await this.post("/stop", {})) as StopResult;
    // so that the next command does not meet this supervisor
    while (existsSync(this.paths.socket)) await Bun.sleep(20);
    return result;
  }

  private async tryStatus(): Promise<Status | undefined> {
    try {
      return (await this.get("/status")) as Status;
    } catch (error) {
      // no socket, one without a listener, or one whose supervisor is just ending
      if (["ENOENT", "ECONNREFUSED", "ECONNRESET", "FailedToOpenSocket"].includes(codeOf(error))) return undefined;
      throw error;
    }
  }

  /** Starts a supervisor and waits until it answers. If several commands do so at the same time, one supervisor stays. */
  private async start(): Promise<Status> {
    const logFile = this.paths.logFile(supervisorName);
    const offset = sizeOf(logFile);
    let supervisor = this.spawn(logFile);
    const deadlineMs = Date.now() + startTimeoutMs;
    while (Date.now() < deadlineMs) {
      const status = await this.tryStatus();
      if (status !== undefined) return status;
      if (supervisor.exitCode === 0) supervisor = this.spawn(logFile);
      else if (supervisor.exitCode !== null) {
        const reason = lastWords(logFile, offset) ?? `it could not write to ${logFile}; the disk may be full`;
        throw new Error(`the supervisor did not start: ${reason}`);
      }
      await Bun.sleep(50);
    }
    throw new Error(`the supervisor does not answer at ${this.paths.socket} after ${startTimeoutMs / 1000} s`);
  }

  private spawn(logFile: string): Subprocess {
    const { socket, folder, logs } = this.paths;
    if (Buffer.byteLength(socket) > socketPathMaxBytes) {
      throw new Error(`${socket} is too long for a socket: set SUPERVISOR_SOCKET to a path of at most 107 bytes`);
    }
    makeFolder(folder, "SUPERVISOR_SOCKET names a file in it");
    makeFolder(logs, "LOG_DIR");
    const log = openLog(logFile);
    try {
      return Bun.spawn([process.execPath, supervisorFile], {
        env: { ...process.env, SUPERVISOR_SOCKET: socket, LOG_DIR: logs },
        detached: true,
        stdio: ["ignore", log, log],
      });
    } finally {
      closeSync(log);
    }
  }

  private async get(path: string): Promise<unknown> {
    return await this.call(path, {});
  }

  private async post(path: string, body: unknown): Promise<unknown> {
    return await this.call(path, { method: "POST", body: JSON.stringify(body) });
  }

  /** @throws Error with the supervisor's sentence; the error of the connection */
  private async call(path: string, init: RequestInit): Promise<unknown> {
    if (!existsSync(this.paths.socket)) throw Object.assign(new Error("no socket"), { code: "ENOENT" });
    const response = await fetch(`http://supervisor${path}`, { ...init, unix: this.paths.socket, keepalive: false });
    const answer = (await response.json()) as { error?: string };
    if (!response.ok) throw new Error(answer.error ?? `the supervisor answered ${response.status}`);
    return answer;
  }
}

function makeFolder(path: string, setting: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new Error(`the folder ${path} (${setting}) cannot be made: ${messageOf(cause)}`, { cause });
  }
}

function openLog(path: string): number {
  try {
    return openSync(path, "a");
  } catch (cause) {
    throw new Error(`the log ${path} (LOG_DIR) cannot be written: ${messageOf(cause)}`, { cause });
  }
}

function codeOf(error: unknown): string {
  return (error as { code?: string }).code ?? "";
}
