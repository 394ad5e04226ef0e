import { SchemaAhead, StoreUnavailable } from "../domain/errors.ts";
import { systemClock } from "../kit/clock.ts";
import { DeadlineExceeded, within } from "../kit/within.ts";
import {
  CallTooLong,
  type PGliteAnswer,
  type PGliteCall,
  type PGliteConnection,
  PGliteEnded,
  type PGliteSession,
} from "./pglite-connection.ts";
import type { FromPGlite, PGliteFailure, ToPGlite } from "./pglite-messages.ts";

export interface PGliteProcessOptions {
  readonly databaseDir: string;
  /** The open file with the lock of DATA_DIR. The process inherits it, so the lock holds as long as the process runs. */
  readonly lockDescriptor: number;
  /** The most that the temporary files of a statement may take. */
  readonly temporaryMaxMebibytes: number;
  /** Receives a sentence for people when the process has ended by itself, or was ended. */
  readonly onNotice: (notice: string) => void;
}

/** The time to write what is in memory to the files. */
const closeTimeoutMs = 30_000;

/** PGlite in a process of its own: a statement does not stop this process, and can be ended, together with the process. A Bun Worker
 *  would not do: `terminate` does not end a statement that runs. When the process has ended, the next call starts it again; PostgreSQL
 *  then recovers what was committed. */
export class PGliteProcess implements PGliteSession {
  private running: Promise<PGliteChild> | undefined;
  private closing: Promise<void> | undefined;

  private constructor(private readonly options: PGliteProcessOptions) {}

  /** Opens a database, and brings its schema up to date.
   *  @throws StoreUnavailable if it cannot be opened or migrated; SchemaAhead if a newer program has migrated it */
  static async open(options: PGliteProcessOptions): Promise<PGliteProcess> {
    const session = new PGliteProcess(options);
    await session.connection();
    return session;
  }

  async connection(): Promise<PGliteConnection> {
    if (this.closing !== undefined) throw new PGliteEnded("it is closed");
    this.running ??= this.start();
    const child = await this.running;
    if (!child.isEnding) return child;
    await child.ended;
    return this.connection();
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async start(): Promise<PGliteChild> {
    const child = new PGliteChild(this.options);
    void child.ended.then((reason) => {
      this.running = undefined;
      if (this.closing === undefined && child.wasOpen) {
        this.options.onNotice(`the embedded store's process ended and is started again: ${reason}`);
      }
    });
    try {
      await child.opened;
    } catch (error) {
      // the next attempt begins after this one
      await child.ended;
      throw error;
    }
    return child;
  }

  private async end(): Promise<void> {
    const child = await this.running?.catch(() => undefined);
    await child?.close();
  }
}

interface Waiting {
  resolve(answer: PGliteAnswer): void;
  reject(error: unknown): void;
}

/** One process from its start to its end. */
class PGliteChild implements PGliteConnection {
  /** Rejects with StoreUnavailable or SchemaAhead. */
  readonly opened: Promise<void>;
  /** Resolves with the reason. */
  readonly ended: Promise<string>;
  wasOpen = false;

  private readonly opening = Promise.withResolvers<void>();
  private readonly waiting = new Map<number, Waiting>();
  private readonly child: Bun.Subprocess;
  /** Why the process is about to end, or has ended. */
  private reason: string | undefined;
  private calls = 0;

  constructor({ databaseDir, lockDescriptor, temporaryMaxMebibytes }: PGliteProcessOptions) {
    this.opened = this.opening.promise;
    this.opened.catch(() => undefined);
    const args = [`${import.meta.dir}/run-pglite.ts`, databaseDir, String(temporaryMaxMebibytes)];
    this.child = Bun.spawn([process.execPath, ...args], {
      stdio: ["ignore", "ignore", "inherit", lockDescriptor],
      serialization: "advanced",
      ipc: (message: FromPGlite) => this.receive(message),
    });
    this.ended = this.child.exited.then(() => this.afterEnd());
  }

  get isEnding(): boolean {
    return this.reason !== undefined;
  }

  async run(call: PGliteCall, limitMs: number): Promise<PGliteAnswer> {
    if (this.reason !== undefined) throw new PGliteEnded(this.reason);
    try {
      return await within(systemClock, limitMs, () => this.answerTo(call));
    } catch (error) {
      if (!(error instanceof DeadlineExceeded)) throw error;
      const tooLong = new CallTooLong(limitMs);
      this.kill(tooLong.message);
      throw tooLong;
    }
  }

  /** Closes the database, after the calls before. */
  async close(): Promise<void> {
    if (this.reason === undefined) {
      this.reason = "it is closed";
      this.child.send("close" satisfies ToPGlite);
    }
    await within(systemClock, closeTimeoutMs, () => this.ended).catch(() => this.child.kill("SIGKILL"));
    await this.ended;
  }

  private answerTo(call: PGliteCall): Promise<PGliteAnswer> {
    return new Promise((resolve, reject) => {
      const id = (this.calls += 1);
      this.waiting.set(id, { resolve, reject });
      this.child.send({ id, call } satisfies ToPGlite);
    });
  }

  private receive(message: FromPGlite): void {
    if ("opened" in message) {
      this.wasOpen = true;
      this.opening.resolve();
    } else if ("notOpened" in message) {
      const { message: text, code } = message.notOpened;
      this.opening.reject(code === "schema_ahead" ? new SchemaAhead(text) : new StoreUnavailable(text));
    } else {
      const waiting = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if ("answer" in message) waiting?.resolve(message.answer);
      else waiting?.reject(this.errorOf(message.failure));
    }
  }

  private errorOf({ message, code }: PGliteFailure): Error {
    if (code !== undefined) return Object.assign(new Error(message), { code });
    this.kill(message);
    return new PGliteEnded(message);
  }

  private kill(reason: string): void {
    this.reason ??= reason;
    this.child.kill("SIGKILL");
  }

  private afterEnd(): string {
    const { signalCode, exitCode } = this.child;
    const how = signalCode === null ? `it ended with code ${exitCode}` : `${signalCode} ended it`;
    const isShort = signalCode === "SIGKILL" ? ", as the kernel does when memory is short" : "";
    this.reason ??= `${how}${isShort}`;
    this.opening.reject(new StoreUnavailable(`the embedded store's process could not be started: ${this.reason}`));
    for (const waiting of this.waiting.values()) {
      waiting.reject(new PGliteEnded(`its process ended before it had answered: ${this.reason}`));
    }
    this.waiting.clear();
    return this.reason;
  }
}
