import type { Registry } from "prom-client";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import { defined } from "../../../kit/defined.ts";
import { FairTurns, NoTurn } from "../../../kit/fair-turns.ts";
import type { Questions, QuestionWeight, TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { type Requester, stranger } from "../../http/access/requester.ts";
import { ApiError } from "../../http/api-error.ts";
import type { Charge, ClientCosts } from "../../http/costs/client-costs.ts";
import type { DamagedHistory } from "./damaged-history.ts";
import type { QueryPressure } from "./query-pressure.ts";
import { turnInstruments } from "./turn-instruments.ts";
import { Asker, presentAsker } from "../../http/access/asker.ts";

/** What a question costs. */
export interface QuestionCost<T> {
  readonly weight: QuestionWeight;
  /** Estimates the rows that the database has to read; not called for a client that has nothing left. */
  readonly rows: () => number;
  /** The rows that it has read, if the answer tells more than the estimate.
   *  @param tookMs how long the store took for the answer */
  readonly read?: (answer: T, tookMs: number) => number;
}

/** Asks the store a question. */
export type Ask = <T>(cost: QuestionCost<T>, question: (queries: TelemetryQueries) => Promise<T>) => Promise<T>;

export interface QueryCostsOptions {
  readonly questions: Questions;
  /** How many heavy questions of one client the store answers at a time. */
  readonly heavyPerClient: number;
  readonly clients: ClientCosts;
  readonly pressure: QueryPressure;
  readonly damage: DamagedHistory;
  readonly registry: Registry;
  readonly clock: Clock;
}

/** A question whose turn it is. */
interface Turn<T> extends Pick<QuestionCost<T>, "weight" | "read"> {
  readonly asker: Asker;
  readonly charge: Charge;
}

/** An operation of GraphQL has at most 30 aliases, each of which may be a question. */
const maxWaitingPerClient = 100;
const maxWaiting = 2000;
/** With the time limit of a statement, it is less than the time after which servers close a connection that is silent. */
const maxWaitMs = 10_000;
/** A question has read so many rows a millisecond at least, whatever its answer shows: a search for a model that few of the records have
 *  was measured to read 55. A client that always asks as much as it may at a time is charged 15 million rows a minute for the time. */
const minRowsPerMs = 50;

/** Lets the clients ask the store in turn, and charges them. */
export class QueryCosts {
  private readonly turns: Readonly<Record<QuestionWeight, FairTurns>>;

  constructor(private readonly options: QueryCostsOptions) {
    const { questions, heavyPerClient, clock } = options;
    const { light, heavy } = questions.atATime;
    const waits = { maxWaiting, maxWaitingPerClient, maxWaitMs, clock };
    this.turns = {
      light: new FairTurns({ ...waits, atATime: light, atATimePerClient: light }),
      heavy: new FairTurns({ ...waits, atATime: heavy, atATimePerClient: heavyPerClient }),
    };
    turnInstruments(options.registry, this.turns);
  }

  /** Asks on behalf of the present asker. The question ends when the asker leaves, or its key ends.
   *  @throws ApiError 429 if its turn does not come in time, or nothing is left of the client's budget of rows */
  readonly ask: Ask = async ({ weight, rows, read }, question) => {
    const { clients } = this.options;
    const asker = presentAsker() ?? new Asker(() => unknown);
    const { requester, signal } = asker;
    asker.wasCharged = true;
    const charge = clients.charge(requester, () => Math.max(1, Math.round(rows())));
    const leave = requester.caller.onEnd(() => asker.leave(keyEnded()));
    const elapsedMs = stopwatch();
    try {
      return await this.turns[weight].run(requester.client, signal, () => {
        clients.instruments.waited(requester, elapsedMs());
        return this.inTurn({ weight, asker, charge, ...defined({ read }) }, question);
      });
    } catch (error) {
      this.options.damage.note(error);
      throw error instanceof NoTurn ? this.refused(weight, requester, error) : error;
    } finally {
      leave();
    }
  };

  /** Tells before the present asker asks several questions whether they would be refused at once.
   *  @throws ApiError 429 if nothing is left of the client's budget of rows, or so many more cannot wait */
  readonly requireAnswers = (count: number): void => {
    const asker = presentAsker();
    if (asker === undefined) return;
    const { requester } = asker;
    asker.wasCharged = true;
    this.options.clients.requireRows(requester);
    const refusal = this.turns.heavy.refusalOf(requester.client, count);
    if (refusal !== undefined) throw this.refused("heavy", requester, refusal);
  };

  /** Asks, and charges what was read, also if the question fails or its client leaves. */
  private async inTurn<T>(
    { weight, asker, charge, read }: Turn<T>,
    question: (queries: TelemetryQueries) => Promise<T>,
  ): Promise<T> {
    const { clients, questions, clock } = this.options;
    const { requester, signal } = asker;
    const startedAtMs = clock.nowMs();
    const tookMs = (): number => Math.max(0, clock.nowMs() - startedAtMs);
    let rows = charge.estimatedRows;
    if (weight === "heavy") clients.instruments.asksHeavy(requester, 1);
    try {
      const answer = await question(questions.ask(weight, signal));
      if (read !== undefined) rows = read(answer, tookMs());
      return answer;
    } finally {
      if (weight === "heavy") clients.instruments.asksHeavy(requester, -1);
      charge.settle(Math.max(rows, tookMs() * minRowsPerMs));
    }
  }

  private refused(weight: QuestionWeight, requester: Requester, { why, retryAfterSeconds, isFull }: NoTurn): ApiError {
    const { clients, pressure } = this.options;
    const { atATime } = this.options.questions;
    clients.instruments.refused(requester, `queue_${why}`);
    if (isFull) pressure.note(`it answers ${atATime[weight]} ${weight} ones at a time, and more clients ask for some`);
    const questions = weight === "heavy" ? "heavy questions (aggregates, coverage, history of many GPUs)" : "questions";
    const reason =
      why === "time" ? `waited ${maxWaitMs / 1000} s for its turn` : "was not taken: too many wait already";
    const message = `The database is busy with ${questions}; this one ${reason}. Try again in ${retryAfterSeconds} s, with fewer at a time`;
    const details = { reason: `queue_${why}`, retry_after_seconds: retryAfterSeconds };
    return new ApiError(429, "too_many_requests", { message, details });
  }
}

/** What runs on behalf of no known client shares the turns of one client. */
const unknown = stranger("", { changed: () => undefined, refused: () => undefined });

function keyEnded(): ApiError {
  return new ApiError(401, "unauthenticated", { message: "The key was revoked or has expired", details: {} });
}
