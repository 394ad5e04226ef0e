import type { Clock } from "./clock.ts";

export interface FairTurnsOptions {
  /** How many hold a turn at a time, of all clients and of one. */
  readonly atATime: number;
  readonly atATimePerClient: number;
  /** How many wait at a time, of all clients and of one. */
  readonly maxWaiting: number;
  readonly maxWaitingPerClient: number;
  readonly maxWaitMs: number;
  readonly clock: Clock;
}

/** A client gets no turn: too many wait already, or its turn did not come in time. */
export class NoTurn extends Error {
  /** @param retryAfterSeconds when a turn is likely: at least 1
   *  @param isFull true if no client could have had a turn; false if this one has as many as it may have */
  constructor(
    readonly why: "waiting" | "time",
    readonly retryAfterSeconds: number,
    readonly isFull: boolean,
  ) {
    super(why === "waiting" ? "too many wait already" : "its turn did not come in time");
  }
}

/** A turn, while it is held. */
export interface Turn {
  /** Leaves the turn to others during `wait`, then takes another one. @throws NoTurn, as `run`; the error of `wait` */
  outside<T>(wait: () => Promise<T>): Promise<T>;
}

/** One client's line. */
interface Line {
  readonly client: string;
  running: number;
  readonly waiting: PromiseWithResolvers<void>[];
}

/** The share of the last turn in the mean duration of turns. */
const lastTurnShare = 0.2;
const maxRetryAfterSeconds = 60;

/** Gives clients turns. Those who wait are served in turn: a client waits for at most one turn of each other client, however many turns
 *  the others wait for. */
export class FairTurns {
  /** Of the clients that have a turn or wait for one, in the order in which they are served: a client that gets a turn, or comes, is
   *  the last. */
  private readonly lines = new Map<string, Line>();
  private runningCount = 0;
  private waitingCount = 0;
  private meanMs = 0;

  constructor(private readonly options: FairTurnsOptions) {}

  get running(): number {
    return this.runningCount;
  }

  get waiting(): number {
    return this.waitingCount;
  }

  /** Calls `work` when it is the client's turn, which ends with `work`.
   *  @param signal ends the wait for the turn
   *  @throws NoTurn; the signal's reason, if it aborts during the wait; the error of `work` */
  async run<T>(client: string, signal: AbortSignal, work: (turn: Turn) => Promise<T>): Promise<T> {
    let end: (() => void) | undefined = await this.begun(client, signal);
    const outside = async <R>(wait: () => Promise<R>): Promise<R> => {
      end?.();
      end = undefined;
      const result = await wait();
      end = await this.begun(client, signal);
      return result;
    };
    try {
      return await work({ outside });
    } finally {
      end?.();
    }
  }

  /** Takes a turn. @returns what ends it */
  private async begun(client: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const line = this.lineOf(client);
    if (this.isFree(line)) this.begin(line);
    else await this.turnOf(line, signal);
    const startedAtMs = this.options.clock.nowMs();
    return () => {
      this.meanMs += lastTurnShare * (this.options.clock.nowMs() - startedAtMs - this.meanMs);
      this.end(line);
    };
  }

  /** @returns why a client that asks for so many turns now would not get all of them; undefined if it may wait for them */
  refusalOf(client: string, count: number): NoTurn | undefined {
    const line = this.lines.get(client);
    if (line === undefined || line.waiting.length + count <= this.options.maxWaitingPerClient) return undefined;
    return this.noTurn("waiting", line);
  }

  /** If there is room, everyone who waits has as many turns as a client may have. */
  private isFree({ running }: Line): boolean {
    return this.runningCount < this.options.atATime && running < this.options.atATimePerClient;
  }

  private async turnOf(line: Line, signal: AbortSignal): Promise<void> {
    const { maxWaiting, maxWaitingPerClient, maxWaitMs, clock } = this.options;
    if (line.waiting.length >= maxWaitingPerClient) throw this.noTurn("waiting", line);
    const turn = Promise.withResolvers<void>();
    line.waiting.push(turn);
    this.waitingCount += 1;
    // the last one of the longest line leaves: many who wait cannot keep out a client that has just come
    if (this.waitingCount > maxWaiting) this.leave(this.longest(), -1, (from) => this.noTurn("waiting", from));
    const leave = (reason: () => unknown): void => {
      const place = line.waiting.indexOf(turn);
      if (place >= 0) this.leave(line, place, reason);
    };
    const onAbort = (): void => leave(() => signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const cancel = clock.after(maxWaitMs, () => leave(() => this.noTurn("time", line)));
    try {
      await turn.promise;
    } finally {
      cancel();
      signal.removeEventListener("abort", onAbort);
    }
  }

  private leave(line: Line, place: number, reason: (line: Line) => unknown): void {
    const [turn] = line.waiting.splice(place, 1);
    this.waitingCount -= 1;
    turn?.reject(reason(line));
    this.forget(line);
  }

  private begin(line: Line): void {
    line.running += 1;
    this.runningCount += 1;
    this.lines.delete(line.client);
    this.lines.set(line.client, line);
  }

  private end(line: Line): void {
    line.running -= 1;
    this.runningCount -= 1;
    this.forget(line);
    const next = this.lines.values().find((each) => each.waiting.length > 0 && this.isFree(each));
    if (next === undefined) return;
    this.begin(next);
    this.waitingCount -= 1;
    next.waiting.shift()?.resolve();
  }

  private noTurn(why: NoTurn["why"], { waiting }: Line): NoTurn {
    const { atATime, atATimePerClient } = this.options;
    const seconds = (this.meanMs * (waiting.length + 1)) / Math.min(atATime, atATimePerClient) / 1000;
    return new NoTurn(
      why,
      Math.min(maxRetryAfterSeconds, Math.max(1, Math.ceil(seconds))),
      this.runningCount >= atATime,
    );
  }

  private longest(): Line {
    return [...this.lines.values()].reduce((longest, line) =>
      line.waiting.length > longest.waiting.length ? line : longest,
    );
  }

  private lineOf(client: string): Line {
    const known = this.lines.get(client);
    if (known !== undefined) return known;
    const line: Line = { client, running: 0, waiting: [] };
    this.lines.set(client, line);
    return line;
  }

  private forget(line: Line): void {
    if (line.running === 0 && line.waiting.length === 0) this.lines.delete(line.client);
  }
}
