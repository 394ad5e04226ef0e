import type { Registry } from "prom-client";
import { type Clock, stopwatch } from "../../../kit/clock.ts";
import { FairTurns, NoTurn } from "../../../kit/fair-turns.ts";
import type { Questions, QuestionWeight, TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { type Requester, stranger } from "../../http/access/requester.ts";
import { ApiError } from "../../http/api-error.ts";
import type { ClientCosts } from "../../http/costs/client-costs.ts";
import type { QueryPressure } from "./query-pressure.ts";
import { turnInstruments } from "./turn-instruments.ts";
import { Asker, presentAsker } from "../../http/access/asker.ts";

/** What a question costs. */
export interface QuestionCost<T> {
  readonly weight: QuestionWeight;
  /** Estimates the rows that the database has to read; not called for a client that has nothing left. */
  readonly rows: () => number;
  /** The rows that it has read, if the answer tells. */
  readonly read?: (answer: T) => number;
}

/** Asks the store a question. */
export type Ask = <T>(cost: QuestionCost<T>, question: (queries: TelemetryQueries) => Promise<T>) => Promise<T>;

export interface QueryCostsOptions {
  readonly questions: Questions;
  /** How many heavy questions of one client the store answers at a time. */
  readonly heavyPerClient: number;
  readonly clients: ClientCosts;
  readonly pressure: QueryPressure;
  readonly registry: Registry;
  readonly clock: Clock;
}

/** An operation of GraphQL has at most 30 aliases, each of which may be a question. */
const maxWaitingPerClient = 100;
const maxWaiting = 2000;
/** With the time limit of a statement, it is less than the time after which servers close a connection that is silent. */
const maxWaitMs = 10_000;

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
    const { clients, questions } = this.options;
    const asker = presentAsker() ?? new Asker(() => unknown);
    const { requester, signal } = asker;
    asker.wasCharged = true;
    const settle = clients.charge(requester, () => Math.max(1, Math.round(rows())));
    const leave = requester.caller.onEnd(() => asker.leave(keyEnded()));
    const elapsedMs = stopwatch();
    try {
      const answer = await this.turns[weight].run(requester.client, signal, async () => {
        clients.instruments.waited(requester, elapsedMs());
        if (weight === "heavy") clients.instruments.asksHeavy(requester, 1);
        try {
          return await question(questions.ask(weight, signal));
        } finally {
          if (weight === "heavy") clients.instruments.asksHeavy(requester, -1);
        }
      });
      if (read !== undefined) settle(read(answer));
      return answer;
    } catch (error) {
      throw error instanceof NoTurn ? this.refused(weight, requester, error) : error;
    } finally {
      leave();
    }
  };

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
