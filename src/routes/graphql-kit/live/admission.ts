import { graphqlError } from "../graphql-errors.ts";

/** How many subscriptions there may be, of all clients, and their end when the process stops. */
export class Admission {
  private readonly admitted = new Set<AsyncIterator<unknown>>();

  /** @param stopping aborted when the process is going to stop */
  constructor(
    private readonly most: number,
    private readonly stopping: AbortSignal,
  ) {
    stopping.addEventListener("abort", () => {
      for (const iterator of [...this.admitted]) void iterator.return?.();
    });
  }

  get count(): number {
    return this.admitted.size;
  }

  /** Counts a subscription until it ends.
   *  @throws GraphQLError where there is no room, or the process is stopping; the subscription is ended then */
  admit<Event>(events: AsyncIterableIterator<Event>): AsyncIterableIterator<Event> {
    if (this.admitted.size >= this.most || this.stopping.aborted) {
      void events.return?.();
      const message = this.stopping.aborted
        ? "This gateway is stopping; connect again"
        : `There are ${this.most} subscriptions already, as many as this gateway takes`;
      throw graphqlError("TOO_MANY_SUBSCRIPTIONS", message, { max: this.most });
    }
    const leave = (): void => void this.admitted.delete(counted);
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
    return counted;
  }
}
