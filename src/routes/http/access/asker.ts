import { AsyncLocalStorage } from "node:async_hooks";
import { Elysia } from "elysia";
import { ClientLeft } from "../../../domain/errors.ts";
import { type Requester, requesterOf } from "./requester.ts";

/** Who waits for an answer: a request, an operation over a socket, or a socket. */
export class Asker {
  private leaving: AbortController | undefined;

  /** @param who called only when the store is asked: by then, the request's access is checked
   *  @param connection aborts when the client closes its connection */
  constructor(
    private readonly who: () => Requester,
    private readonly connection?: () => AbortSignal,
  ) {}

  get requester(): Requester {
    return this.who();
  }

  /** Aborts when the client has left. */
  get signal(): AbortSignal {
    if (this.leaving !== undefined) return this.leaving.signal;
    this.leaving = new AbortController();
    const connection = this.connection?.();
    if (connection?.aborted === true) this.leave();
    connection?.addEventListener("abort", () => this.leave(), { once: true });
    return this.leaving.signal;
  }

  /** Ends what the store does for the asker.
   *  @param reason the error of what is ended */
  leave(reason: Error = new ClientLeft("the client has left")): void {
    this.leaving ??= new AbortController();
    this.leaving.abort(reason);
  }
}

// The queries of the store are reached through objects that all requests share, from hundreds of places, by way of loaders,
// generators and streams: as a parameter, the asker would be forgotten in some of them, without a word.
const asking = new AsyncLocalStorage<Asker>();

/** Calls `work` on behalf of the asker. */
export function askedBy<T>(asker: Asker, work: () => T): T {
  return asking.run(asker, work);
}

/** On whose behalf the present code runs; undefined for the process itself. */
export function presentAsker(): Asker | undefined {
  return asking.getStore();
}

type Handle = (...given: unknown[]) => unknown;

/** Makes each request an asker. */
export function askers() {
  return new Elysia({ name: "askers" }).wrap((handle, request) => (...given: unknown[]) => {
    const asker = new Asker(
      () => requesterOf(request),
      () => request.signal,
    );
    return askedBy(asker, () => (handle as unknown as Handle)(...given)) as Response;
  });
}
