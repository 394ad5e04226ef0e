import type { Logger } from "pino";
import { messageOf } from "./message-of.ts";

export interface RepeatedErrorOptions {
  readonly log: Logger;
  /** The effect of the error: "collecting is held up". */
  readonly prefix: string;
  /** Logged when the error has ended: "collecting continues". */
  readonly ended: string;
}

/** An error that an operation may have again and again. It is logged only when it first appears, when its message changes,
 *  and when it has ended. */
export class RepeatedError {
  private message: string | undefined;

  constructor(private readonly options: RepeatedErrorOptions) {}

  /** The message of the current error, with the prefix; undefined if there is no error. */
  get current(): string | undefined {
    return this.message;
  }

  /** @param problem an error, or a text that says what is wrong */
  record(problem: unknown): void {
    const { log, prefix } = this.options;
    const message = `${prefix}: ${messageOf(problem)}`;
    const isNew = message !== this.message;
    this.message = message;
    if (isNew) log.warn(problem instanceof Error ? { err: problem } : {}, message);
  }

  clear(): void {
    if (this.message !== undefined) this.options.log.info(this.options.ended);
    this.message = undefined;
  }
}
