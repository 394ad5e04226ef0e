import type { Static } from "@sinclair/typebox";
import type { DeadLetters } from "../../pipeline/queue/queue.ts";
import { notFound } from "../http/api-error.ts";
import { type deadLetterSchema, toApiDeadLetter } from "../schemas/dead-letter.ts";

type ApiDeadLetter = Static<typeof deadLetterSchema>;

/** A part of the list of dead letters. */
export interface DeadLetterPage {
  readonly letters: readonly ApiDeadLetter[];
  /** The cursor of the next part; undefined at the end. */
  readonly next: string | undefined;
}

/** Lists, redrives and deletes dead letters, for REST and GraphQL. Every call throws a retryable error while the queue
 *  does not answer. The calls for one letter throw ApiError 404 if the letter does not exist. */
export class DeadLetterAnswers {
  constructor(private readonly deadLetters: DeadLetters) {}

  /** @param after the id of the previous page's last letter; undefined for the first page */
  async page(limit: number, after: string | undefined): Promise<DeadLetterPage> {
    // one letter more than the page has, to find out whether more follow
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

  /** Puts up to `max` of the oldest letters back into the queue. @returns those that were put back, as they were */
  async redriveOldest(max: number): Promise<ApiDeadLetter[]> {
    const redriven: ApiDeadLetter[] = [];
    for (const letter of (await this.page(max, undefined)).letters) {
      // another client may have redriven or deleted it meanwhile
      if (await this.deadLetters.redrive(letter.id)) redriven.push(letter);
    }
    return redriven;
  }

  /** Deletes the message for good. @returns the letter as it was */
  delete(id: string): Promise<ApiDeadLetter> {
    return this.settle(id, () => this.deadLetters.delete(id));
  }

  private async settle(id: string, change: () => Promise<boolean>): Promise<ApiDeadLetter> {
    const letter = await this.show(id);
    // another client may have redriven or deleted it meanwhile
    if (!(await change())) throw notFound("dead letter", { id });
    return letter;
  }
}
