import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type RunPaths, supervisorName } from "./run-paths.ts";
import type { Supervisor } from "./supervisor.ts";
import { type Lock, takeLock } from "./supervisor-lock.ts";
import { SupervisorServer } from "./supervisor-server.ts";

export interface RunPlaceOptions {
  readonly paths: RunPaths;
  readonly lock: Lock;
  readonly supervisor: Supervisor;
  /** Called when everything has stopped. */
  readonly onStopped: () => void;
}

/** What a supervisor has in its folder while it runs: the lock, the socket and its pid file. */
export class RunPlace {
  private readonly server: SupervisorServer;
  private readonly socketId: number | undefined;

  /** @throws the error of the file system */
  constructor(private readonly options: RunPlaceOptions) {
    const { paths, supervisor, onStopped } = options;
    this.server = new SupervisorServer({ supervisor, socket: paths.socket, onStopped });
    this.socketId = fileId(paths.socket);
    writeFileSync(paths.pidFile(supervisorName), `${process.pid}\n`);
  }

  /** True while a command waits for its answer. */
  get isBusy(): boolean {
    return this.server.isBusy;
  }

  /** True if the socket was deleted or replaced: commands do not reach this supervisor any more. */
  get isLost(): boolean {
    return fileId(this.options.paths.socket) !== this.socketId;
  }

  /** @returns undefined if another supervisor has taken the folder */
  reopen(): RunPlace | undefined {
    const { paths, supervisor, lock: lost } = this.options;
    mkdirSync(paths.folder, { recursive: true });
    const lock = takeLock(paths.lock);
    if (lock === undefined) return undefined;
    lost.close();
    // not awaited: a request in progress may wait for processes to end, which is noticed only after this
    void this.server.stop();
    const place = new RunPlace({ ...this.options, lock });
    supervisor.writeFiles();
    return place;
  }

  async close(): Promise<void> {
    const { paths, lock } = this.options;
    await this.server.stop();
    for (const path of [paths.socket, paths.pidFile(supervisorName)]) rmSync(path, { force: true });
    lock.close();
  }
}

/** Tells a file from a later one of the same name. */
function fileId(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}
