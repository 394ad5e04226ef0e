import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { SmiFailed } from "./smi-failed.ts";
import type { Printed } from "./smi-program.ts";

/** 16 GPUs with 100 processes each print about 1 MB. The parser takes up to 0.5 s per MB, during which this process does nothing
 *  else. */
const outputMaxBytes = 4 * 1024 * 1024;
const errorsMaxBytes = 4096;

/** A command that is running, and what it prints. */
export class RunningCommand {
  /** What it printed, when it has ended. @throws SmiFailed if it could not be started, or prints too much */
  readonly printed: Promise<Printed>;
  /** Resolves when its process has ended; immediately if it could not be started. */
  readonly ended: Promise<void>;
  private readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** True when no process is left that could print. */
  private isClosed = false;

  constructor(
    private readonly name: string,
    [program = "", ...args]: readonly string[],
  ) {
    // in a process group of its own, so that the processes that a shell starts can be killed with it
    this.child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
    this.ended = new Promise((resolve) => {
      for (const event of ["exit", "error"]) this.child.once(event, resolve);
    });
    this.printed = this.collect();
    this.printed.catch(() => undefined); // it may fail after its deadline, when nothing waits for it
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Kills the process and those that it has started, and takes no more of their output. */
  kill(): void {
    const { child } = this;
    if (child.pid === undefined || this.isClosed) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      child.kill("SIGKILL"); // Windows has no process groups
    }
    child.stdout.destroy();
    child.stderr.destroy();
  }

  private collect(): Promise<Printed> {
    const { child, name } = this;
    return new Promise((resolve, reject) => {
      const output = new Pieces();
      const errors = new Pieces();
      child.stdout.on("data", (piece: Buffer) => {
        if (output.bytes + piece.length > outputMaxBytes) {
          reject(
            new SmiFailed("too_large", `${name} printed more than ${outputMaxBytes / 2 ** 20} MiB and was killed`),
          );
          this.kill();
        } else output.add(piece);
      });
      child.stderr.on("data", (piece: Buffer) => errors.add(piece.subarray(0, errorsMaxBytes - errors.bytes)));
      child.once("error", (cause) => reject(notStarted(name, cause)));
      child.once("close", (exitCode) => {
        this.isClosed = true;
        resolve({ output: output.text(), errors: errors.text(), exitCode: exitCode ?? -1 });
      });
    });
  }
}

/** Bytes that arrive in pieces, as text at their end. */
class Pieces {
  private readonly pieces: Buffer[] = [];
  bytes = 0;

  add(piece: Buffer): void {
    this.pieces.push(piece);
    this.bytes += piece.length;
  }

  text(): string {
    return Buffer.concat(this.pieces).toString("utf8");
  }
}

function notStarted(name: string, cause: Error): SmiFailed {
  const { code } = cause as NodeJS.ErrnoException;
  const why =
    code === "ENOENT"
      ? `${name} is not installed, or not in PATH: install NVIDIA's driver, or set NVIDIA_SMI to the path of nvidia-smi`
      : code === "EACCES"
        ? `${name} may not be run by this user: make it executable, or run the pipeline as another user`
        : `${name} cannot be started: ${cause.message}`;
  return new SmiFailed("command_failed", why, { cause });
}
