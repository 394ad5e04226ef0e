import { type Clock, stopwatch } from "../../../kit/clock.ts";
import { FairTurns, NoTurn } from "../../../kit/fair-turns.ts";
import { PromqlError } from "../../../promql/promql-error.ts";
import { LargeQuery, Work } from "../../../promql/work.ts";
import { presentAsker } from "../../http/access/asker.ts";

/** Small queries that are answered at a time: as many as the heavy questions that the store answers at a time by default. */
const smallAtATime = 4;
/** A dashboard asks for all its panels at the same time. */
const maxWaitingPerClient = 100;
const maxWaiting = 1000;
/** A balancer waits as long for an answer by default. */
const maxWaitMs = 60_000;
/** Turns of all queries after which memory is freed: they allocate about 100 MB. With 100 MB in use, that takes 0.1 s. */
const turnsPerCollection = 50;

/** Answers queries in PromQL in turn, so that the memory of all of them together is bounded: some small ones and one large one at a time.
 *  A query begins as a small one. One that proves to be large goes on if no other large one is answered; otherwise, it drops what it has
 *  read, waits for the turn of large ones, and begins again. The runtime alone would free memory only when twice as much as was in use
 *  has been allocated; here, it is freed after so much work, and at the end of each large query. */
export class QueryTurns {
  private readonly small: FairTurns;
  private readonly large: FairTurns;
  private turnsSinceCollection = 0;

  constructor(private readonly clock: Clock) {
    const waits = { maxWaiting, maxWaitingPerClient, maxWaitMs, clock };
    this.small = new FairTurns({ ...waits, atATime: smallAtATime, atATimePerClient: smallAtATime });
    this.large = new FairTurns({ ...waits, atATime: 1, atATimePerClient: 1 });
  }

  /** Answers a request when it is its turn.
   *  @param timeoutMs how long it may wait and take
   *  @param answer called a second time if the query is large and another one is answered
   *  @throws PromqlError if its turn does not come in time; the errors of `answer` */
  async run<T>(request: Request, timeoutMs: number, answer: (work: Work) => Promise<T>): Promise<T> {
    const { clock } = this;
    const asker = presentAsker();
    const client = asker?.requester.client ?? "";
    const signal = asker?.signal ?? request.signal;
    const work = new Work({ clock, signal, timeoutMs, onTurn: () => this.noteTurn() });
    const ended = Promise.withResolvers<void>();
    const enlarge = (): boolean => {
      if (this.large.running > 0) return false;
      // if the client has left, there is no turn, and the query ends
      this.large.run(client, signal, () => ended.promise.then(() => this.collect())).catch(() => undefined);
      return true;
    };
    try {
      return await this.inTurn("small", { client, work }, () => answer(work.asSmall(enlarge)));
    } catch (error) {
      if (!(error instanceof LargeQuery)) throw error;
    } finally {
      ended.resolve();
    }
    return this.inTurn("large", { client, work }, () => answer(work).finally(() => this.collect()));
  }

  private noteTurn(): void {
    this.turnsSinceCollection += 1;
    if (this.turnsSinceCollection >= turnsPerCollection) this.collect();
  }

  private collect(): void {
    this.turnsSinceCollection = 0;
    // at once: a collection during the work would end after the work has allocated more
    Bun.gc(true);
  }

  private async inTurn<T>(
    size: "small" | "large",
    { client, work }: { readonly client: string; readonly work: Work },
    answer: () => Promise<T>,
  ): Promise<T> {
    const late = new AbortController();
    const cancel = this.clock.after(work.leftMs, () => late.abort(work.timedOut()));
    const elapsedMs = stopwatch();
    try {
      return await this[size].run(client, AbortSignal.any([work.signal, late.signal]), () => {
        cancel();
        return answer();
      });
    } catch (error) {
      if (!(error instanceof NoTurn)) throw error;
      const why = error.why === "waiting" ? "too many wait already" : `waited ${Math.round(elapsedMs() / 1000)} s`;
      const queries = size === "large" ? "one large query" : `${smallAtATime} queries`;
      throw new PromqlError(
        "timeout",
        `query timed out in query queue (${why}): a gateway answers ${queries} at a time; try again in ${error.retryAfterSeconds} s, and select fewer series`,
      );
    } finally {
      cancel();
    }
  }
}
