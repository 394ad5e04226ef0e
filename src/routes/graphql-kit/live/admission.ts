import type { Caller } from "../../../access/caller.ts";
import { presentAsker } from "../../http/access/asker.ts";
import { graphqlError } from "../graphql-errors.ts";

/** Limits the total number of GraphQL subscriptions of all clients, and ends them when the process is about to stop. */
export class Admission {
  private readonly admitted = new Set<AsyncIterator<unknown>>();

  /** @param stopping aborted when the process is about to stop */
  constructor(
    private readonly maxSubscriptions: number,
    private readonly stopping: AbortSignal,
  ) {
    stopping.addEventListener("abort", () => {
      for (const iterator of [...this.admitted]) void iterator.return?.();
    });
  }

  get count(): number {
    return this.admitted.size;
  }

  /** Counts a subscription until `return` or `throw` of its iterator is called. It ends with its caller.
   *  @throws GraphQLError if there are too many subscriptions, or the process is stopping; `events` is then ended */
  admit<Event>(events: AsyncIterableIterator<Event>, caller: Caller): AsyncIterableIterator<Event> {
    const max = this.maxSubscriptions;
    if (this.admitted.size >= max || this.stopping.aborted) {
      void events.return?.();
      const message = this.stopping.aborted
        ? "This gateway is stopping; connect again"
        : `This gateway accepts at most ${max} subscriptions at a time; try again when one has ended`;
      throw graphqlError("TOO_MANY_SUBSCRIPTIONS", message, { max });
    }
    const release = heldBy(events);
    let removeListener = (): void => undefined;
    const leave = (): void => {
      release();
      this.admitted.delete(counted);
      removeListener();
    };
    const counted: AsyncIterableIterator<Event> = {
      next: () => events.next(),
      return: async (value) => {
        leave();
        return (await events.return?.(value)) ?? { done: true, value: undefined };
      },
      throw: async (error) => {
        leave();
        return (await events.throw?.(error)) ?? { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => counted,
    };
    this.admitted.add(counted);
    removeListener = caller.onEnd(() => void counted.return?.());
    return counted;
  }
}

/** Counts the subscription of the present asker. @throws ApiError 429 if it has too many; `events` is then ended */
function heldBy(events: AsyncIterator<unknown>): () => void {
  try {
    return presentAsker()?.hold("subscriptions") ?? (() => undefined);
  } catch (error) {
    void events.return?.();
    throw error;
  }
}
