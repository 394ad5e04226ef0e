import type { Static } from "@sinclair/typebox";
import type { DeadLetters } from "../../pipeline/queue/queue.ts";
import { notFound } from "../http/api-error.ts";
import { type deadLetterSchema, toApiDeadLetter } from "../schemas/dead-letter.ts";

type ApiDeadLetter = Static<typeof deadLetterSchema>;

/** A part of the list of dead letters. */
export interface DeadLetterPage {
  readonly letters: readonly ApiDeadLetter[];
  /** What the next part follows; undefined at the end. */
  readonly next: string | undefined;
}

/** What an operator does with messages that were given up, the same by REST and GraphQL.
 *  Every call throws a retryable error while the queue does not answer, and ApiError 404 for a letter that is not there. */
export class DeadLetterAnswers {
  constructor(private readonly deadLetters: DeadLetters) {}

  /** @param after id of the letter that the part before ended with */
  async page(limit: number, after: string | undefined): Promise<DeadLetterPage> {
    // one more tells whether there are more
    const letters = await this.deadLetters.list(limit + 1, after);
    const page = letters.slice(0, limit).map(toApiDeadLetter);
    return { letters: page, next: letters.length > limit ? page.at(-1)?.id : undefined };
  }

  async show(id: string): Promise<ApiDeadLetter> {
    const letter = await this.deadLetters.get(id);
    if (letter === undefined) throw notFound("dead letter", { id });
    return toApiDeadLetter(letter);
  }

  /** Puts the message back into the queue. @returns the letter as it was */
  redrive(id: string): Promise<ApiDeadLetter> {
    return this.settle(id, () => this.deadLetters.redrive(id));
  }

  /** Puts the oldest ones back into the queue, at most `most`. @returns those that were, as they were */
  async redriveOldest(most: number): Promise<ApiDeadLetter[]> {
    const redriven: ApiDeadLetter[] = [];
    for (const letter of (await this.page(most, undefined)).letters) {
      // one that is gone was put back or dropped by somebody else
      if (await this.deadLetters.redrive(letter.id)) redriven.push(letter);
    }
    return redriven;
  }

  /** Drops the message for good. @returns the letter as it was */
  delete(id: string): Promise<ApiDeadLetter> {
    return this.settle(id, () => this.deadLetters.delete(id));
  }

  private async settle(id: string, change: () => Promise<boolean>): Promise<ApiDeadLetter> {
    const letter = await this.show(id);
    // somebody else may have done something to it since
    if (!(await change())) throw notFound("dead letter", { id });
    return letter;
  }
}
