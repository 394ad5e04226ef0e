import type { Logger } from "pino";
import { messageOf } from "./message-of.ts";
import { RepeatedError, type RepeatedErrorOptions } from "./repeated-error.ts";
import type { Service } from "./service.ts";

type State = "IDLE" | "STARTING" | "RUNNING" | "STOPPING" | "STOPPED";

/** Implements the start and the stop of a service: a subclass implements only its steps `open`, `run` and `close`.
 *
 *  IDLE -start-> STARTING (`open`) -opened-> RUNNING (`run`, in the background)
 *  STARTING, RUNNING -stop-> STOPPING (waits for the step under way, then calls `close`) -closed-> STOPPED
 *  IDLE -stop-> STOPPED: no step is called.
 *  STARTING -`open` throws-> STOPPING: `start` throws the error after `close`.
 *  RUNNING -`run` throws-> RUNNING: the error is logged, and `error()` reports it.
 *
 *  A second start waits for the first start, and a second stop for the first stop. A start after a stop does nothing.
 *  `stopping` aborts when STOPPING begins; `open` and `run` must then resolve or throw soon.
 *  `deadline` aborts when unfinished work must be abandoned: at the deadline of any stop, or when `open` throws. */
export abstract class BaseService implements Service {
  readonly isUpkeep: boolean = false;
  private readonly stopRequest = new AbortController();
  private readonly abandonment = new AbortController();
  protected readonly stopping = this.stopRequest.signal;
  protected readonly deadline = this.abandonment.signal;
  private state: State = "IDLE";
  private opening = Promise.resolve();
  private starting = Promise.resolve();
  private running = Promise.resolve();
  private ending = Promise.resolve();
  private failure: string | undefined;
  private readonly repeatedErrors: RepeatedError[] = [];

  protected constructor(
    readonly name: string,
    private readonly serviceLog: Logger,
  ) {}

  start(): Promise<void> {
    if (this.state === "IDLE") {
      this.state = "STARTING";
      this.opening = this.openStep();
      this.starting = this.opening.then(
        () => this.launch(),
        (error: unknown) => this.failToStart(error),
      );
    }
    return this.starting;
  }

  async stop(deadline: AbortSignal): Promise<void> {
    const abandon = (): void => this.abandonment.abort();
    if (deadline.aborted) abandon();
    deadline.addEventListener("abort", abandon, { once: true });
    try {
      await this.end();
    } finally {
      deadline.removeEventListener("abort", abandon);
    }
  }

  error(): string | undefined {
    return this.failure ?? this.repeatedErrors.find(({ current }) => current !== undefined)?.current;
  }

  activity(): string | undefined {
    return undefined;
  }

  /** Tracks an error that the work may have again and again; `error()` reports it while it lasts. */
  protected repeatedError(texts: Omit<RepeatedErrorOptions, "log">): RepeatedError {
    const error = new RepeatedError({ log: this.serviceLog, ...texts });
    this.repeatedErrors.push(error);
    return error;
  }

  /** Acquires the resources for the work; `start` waits for it. @throws an error if the service cannot start */
  protected open(): Promise<void> {
    return Promise.resolve();
  }

  /** Does the work, which may end before the service is stopped. @throws an error if the work cannot continue */
  protected run(): Promise<void> {
    return Promise.resolve();
  }

  /** Finishes unfinished work, unless `deadline` is aborted, and releases the resources of `open` and `run`. Called once
   *  if the service was started, after `open` and `run` have ended, even if they threw. */
  protected close(): Promise<void> {
    return Promise.resolve();
  }

  private async openStep(): Promise<void> {
    await this.open();
  }

  private launch(): void {
    if (this.state !== "STARTING") return;
    this.state = "RUNNING";
    this.running = this.runStep();
  }

  private async failToStart(error: unknown): Promise<void> {
    // a stop interrupted `open`: the error is not reported
    if (this.state !== "STARTING") return;
    this.abandonment.abort();
    await this.end().catch(() => undefined);
    throw error;
  }

  private async runStep(): Promise<void> {
    try {
      await this.run();
    } catch (error) {
      // a stop interrupted `run`: the error is not reported
      if (this.stopping.aborted) return;
      this.failure = `${this.name} service stopped: ${messageOf(error)}`;
      this.serviceLog.error({ err: error }, this.failure);
    }
  }

  private async end(): Promise<void> {
    if (this.state === "IDLE") this.state = "STOPPED";
    if (this.state === "STARTING" || this.state === "RUNNING") {
      this.state = "STOPPING";
      this.stopRequest.abort();
      this.ending = this.closeStep();
    }
    await this.ending;
  }

  private async closeStep(): Promise<void> {
    await this.opening.catch(() => undefined);
    await this.running;
    try {
      await this.close();
    } finally {
      this.state = "STOPPED";
    }
  }
}
