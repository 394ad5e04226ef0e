import { existsSync } from "node:fs";
import type { Clock } from "../../../kit/clock.ts";
import { endsWithin } from "../../../kit/within.ts";
import { RunningCommand } from "./running-command.ts";
import { SmiFailed } from "./smi-failed.ts";
import type { Printed, SmiProgram } from "./smi-program.ts";

export interface SmiCommandOptions {
  /** The setting NVIDIA_SMI: the name or path of nvidia-smi, or a command with arguments, for a shell, that prints what
   *  `nvidia-smi -q -x` prints. */
  readonly command: string;
  /** A command that runs longer is killed. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** How long to wait for the end of a process that was killed. One that hangs in the driver ends only when the driver answers. */
const killedWaitMs = 1000;

/** Runs nvidia-smi, or a command in its place. A command that does not end in time or prints too much is killed with all processes
 *  that it has started. While one cannot be killed, because it hangs in the driver, no other is started. */
export class SmiCommand implements SmiProgram {
  readonly list: SmiProgram["list"];
  private unkillable: RunningCommand | undefined;

  constructor(private readonly options: SmiCommandOptions) {
    this.list = isProgram(options.command) ? (signal) => this.run(["-L"], signal) : undefined;
  }

  /** Of a command, only its first word: its arguments may be secret. */
  get name(): string {
    const { command } = this.options;
    return isProgram(command) ? command : `${command.trim().split(/\s/, 1)[0]} ...`;
  }

  query(signal: AbortSignal): Promise<Printed> {
    return this.run(["-q", "-x"], signal);
  }

  private async run(args: readonly string[], signal: AbortSignal): Promise<Printed> {
    if (this.unkillable !== undefined) throw stillRunning(this.name, this.unkillable);
    const { command, timeoutMs, clock } = this.options;
    const argv = isProgram(command) ? [command, ...args] : ["/bin/sh", "-c", command];
    const running = new RunningCommand(this.name, argv);
    // a stop does not wait for what a process prints that hangs in the driver
    const stop = Promise.withResolvers<never>();
    const onAbort = (): void => stop.reject(new SmiFailed("stopped", `${this.name} was stopped`));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal.aborted) onAbort();
      const printed = Promise.race([running.printed, stop.promise]);
      if (await endsWithin(clock, timeoutMs, () => printed)) return await printed;
      throw new SmiFailed("timeout", `${this.name} did not end within ${timeoutMs / 1000} s and was killed`);
    } finally {
      signal.removeEventListener("abort", onAbort);
      await this.end(running);
    }
  }

  private async end(running: RunningCommand): Promise<void> {
    running.kill();
    if (await endsWithin(this.options.clock, killedWaitMs, () => running.ended)) return;
    this.unkillable = running;
    void running.ended.then(() => (this.unkillable = undefined));
  }
}

/** True for a name or a path; a path may have spaces. */
function isProgram(command: string): boolean {
  return !/\s/.test(command) || existsSync(command);
}

function stillRunning(name: string, { pid }: RunningCommand): SmiFailed {
  const message = `${name} was killed but has not ended (process ${pid}): it hangs in NVIDIA's driver, see dmesg; no other is started until it ends`;
  return new SmiFailed("timeout", message);
}
