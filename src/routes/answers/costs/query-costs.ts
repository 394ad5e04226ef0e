import type { Clock } from "../../../kit/clock.ts";
import { FairTurns, NoTurn } from "../../../kit/fair-turns.ts";
import type { Questions, QuestionWeight, TelemetryQueries } from "../../../pipeline/store/telemetry-queries.ts";
import { stranger } from "../../http/access/requester.ts";
import { ApiError } from "../../http/api-error.ts";
import { Asker, presentAsker } from "../../http/access/asker.ts";

/** Asks the store a question. */
export type Ask = <T>(weight: QuestionWeight, question: (queries: TelemetryQueries) => Promise<T>) => Promise<T>;

export interface QueryCostsOptions {
  readonly questions: Questions;
  /** How many heavy questions of one client the store answers at a time. */
  readonly heavyPerClient: number;
  readonly clock: Clock;
}

/** An operation of GraphQL has at most 30 aliases, each of which may be a question. */
const maxWaitingPerClient = 100;
const maxWaiting = 2000;
/** With the time limit of a statement, it is less than the time after which servers close a connection that is silent. */
const maxWaitMs = 10_000;

/** Lets the clients ask the store in turn. */
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
  }

  /** Asks on behalf of the present asker. The question ends when the asker leaves, or its key ends.
   *  @throws ApiError 429 if its turn does not come in time */
  readonly ask: Ask = async (weight, question) => {
    const asker = presentAsker() ?? new Asker(() => unknown);
    const { caller, client } = asker.requester;
    const leave = caller.onEnd(() => asker.leave(keyEnded()));
    try {
      return await this.turns[weight].run(client, asker.signal, () =>
        question(this.options.questions.ask(weight, asker.signal)),
      );
    } catch (error) {
      throw error instanceof NoTurn ? refused(weight, error) : error;
    } finally {
      leave();
    }
  };
}

/** What runs on behalf of no known client shares the turns of one client. */
const unknown = stranger("", { changed: () => undefined, refused: () => undefined });

function refused(weight: QuestionWeight, { why, retryAfterSeconds }: NoTurn): ApiError {
  const questions = weight === "heavy" ? "heavy questions (aggregates, coverage, history of many GPUs)" : "questions";
  const reason = why === "time" ? `waited ${maxWaitMs / 1000} s for its turn` : "was not taken: too many wait already";
  return new ApiError(429, "too_many_requests", {
    message: `The database is busy with ${questions}; this one ${reason}. Try again in ${retryAfterSeconds} s, with fewer at a time`,
    details: { reason: `queue_${why}`, retry_after_seconds: retryAfterSeconds },
  });
}

function keyEnded(): ApiError {
  return new ApiError(401, "unauthenticated", { message: "The key was revoked or has expired", details: {} });
}
