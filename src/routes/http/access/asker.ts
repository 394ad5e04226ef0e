import { AsyncLocalStorage } from "node:async_hooks";
import { Elysia } from "elysia";
import { ClientLeft } from "../../../domain/errors.ts";
import type { ClientCosts } from "../costs/client-costs.ts";
import type { Held } from "../costs/client-instruments.ts";
import { type Requester, requesterOf } from "./requester.ts";

/** Who waits for an answer: a request, an operation over a socket, or a socket. */
export class Asker {
  /** True once it has asked the store. */
  wasCharged = false;
  private leaving: AbortController | undefined;

  /** @param who called only when the store is asked: by then, the request's access is checked
   *  @param clients counts what the asker holds; undefined: it is not counted
   *  @param connection aborts when the client closes its connection */
  constructor(
    private readonly who: () => Requester,
    private readonly clients?: ClientCosts,
    private readonly connection?: () => AbortSignal,
  ) {}

  /** Another asker for the same client, which does not leave with this one: for a socket, or an operation over a socket. */
  another(): Asker {
    return new Asker(this.who, this.clients);
  }

  /** Counts a request, or an operation or a message over a socket. */
  countRequest(): void {
    this.clients?.instruments.requested(this.requester);
  }

  /** Counts a socket, a subscription or an export of the client.
   *  @returns a function to call at its end; later calls do nothing
   *  @throws ApiError 429 if the client has as many as it may have */
  hold(kind: Held): () => void {
    return this.clients?.hold(kind, this.requester) ?? (() => undefined);
  }

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

  /** Resolves when the process has answered other requests that have arrived meanwhile. */
  async othersFirst(): Promise<void> {
    await this.clients?.othersFirst(this.requester, this.signal);
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

type Handle = (...given: unknown[]) => Response | undefined | Promise<Response | undefined>;

/** Makes each request an asker. Answers that the store was asked for say what is left of the client's budget of rows.
 *  Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/10/ */
export function askers(clients: ClientCosts) {
  const finish = (asker: Asker, response: Response | undefined): Response | undefined => {
    const left = asker.wasCharged ? clients.rowsLeft(asker.requester) : undefined;
    if (response === undefined || left === undefined) return response;
    response.headers.set("ratelimit-policy", `"rows";q=${left.rowsPerMinute};w=60`);
    response.headers.set("ratelimit", `"rows";r=${Math.max(0, left.rows)};t=${left.wholeInSeconds}`);
    return response;
  };
  return new Elysia({ name: "askers" })
    .wrap((handle, request) => (...given: unknown[]) => {
      const asker = new Asker(
        () => requesterOf(request),
        clients,
        () => request.signal,
      );
      const response = askedBy(asker, () => (handle as unknown as Handle)(...given));
      return response instanceof Promise ? response.then((settled) => finish(asker, settled)) : finish(asker, response);
    })
    .onAfterResponse({ as: "global" }, ({ request }) => clients.instruments.requested(requesterOf(request)));
}
