import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import type { Clock } from "../../../kit/clock.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { within } from "../../../kit/within.ts";

export interface SecretFileOptions {
  /** The setting that names the file, for messages. */
  readonly setting: string;
  readonly path: string;
  /** What the file contained at the start. */
  readonly first: string;
  /** True for a token, which is a part of a header as it is. */
  readonly isToken: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The file is read at most this often, however many targets are scraped. */
const pauseMs = 1000;
/** A header cannot contain another one. */
const token = /^[\x21-\x7e]+$/;
/** A file system that does not answer must not hold up scrapes. */
const readMaxMs = 500;

/** A secret in a file that is replaced while the process runs, as tokens are that expire. While the file is missing or unusable, the
 *  last secret stays in use. The file is read, not watched: Kubernetes replaces it by a symbolic link. */
export class SecretFile {
  /** Why the file is not usable now; undefined if it is. */
  error: string | undefined;
  private secret: string;
  private readAtMs = -Infinity;
  private reading: Promise<void> | undefined;

  constructor(private readonly options: SecretFileOptions) {
    this.secret = options.first;
  }

  /** The secret as it was in the file a second ago or later. */
  async current(): Promise<string> {
    const sinceMs = this.options.clock.nowMs() - this.readAtMs;
    // after a clock was set back, it is read again
    if (sinceMs >= pauseMs || sinceMs < 0) this.reading ??= this.read().finally(() => (this.reading = undefined));
    await this.reading;
    return this.secret;
  }

  private async read(): Promise<void> {
    const { setting, path, isToken, clock, log } = this.options;
    try {
      const text = (
        await within(clock, readMaxMs, ({ signal }) => readFile(path, { encoding: "utf8", signal }))
      ).trim();
      if (text === "") throw new Error("it is empty");
      if (isToken && !token.test(text)) throw new Error("a token has no blanks and only ASCII characters");
      if (text !== this.secret) log.info(`${setting} has changed: the new secret is used`);
      else if (this.error !== undefined) log.info(`${setting} can be read again`);
      this.secret = text;
      this.error = undefined;
    } catch (error) {
      const problem = `${setting}=${path} cannot be read: ${messageOf(error)}; the last secret stays in use`;
      if (problem !== this.error) log.warn(problem);
      this.error = problem;
    } finally {
      this.readAtMs = clock.nowMs();
    }
  }
}
