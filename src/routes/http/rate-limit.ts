import { Elysia } from "elysia";
import { type AddressServer, clientAddress, type TrustedHops } from "./access/client-address.ts";
import { credentialOf } from "./access/credentials.ts";
import { outerOf } from "./access/inner-request.ts";
import { type Requester, requesterOf, stranger } from "./access/requester.ts";
import type { ApiError } from "./api-error.ts";
import type { ClientInstruments } from "./costs/client-instruments.ts";
import { pathOf } from "./door/request-path.ts";
import { PerSecond } from "./per-second.ts";

export interface RateLimitOptions {
  /** Maximum number of requests and of operations over sockets a second from one client. */
  readonly rateLimitPerSecond: number;
  /** Whether X-Forwarded-For has the client's address: only behind proxies that set this header. */
  readonly trustsForwardedFor: TrustedHops;
}

/** Counts what each client asks: a key, or without a key an IPv4 address or the network of an IPv6 address. */
export class RateLimit {
  private readonly limit: PerSecond;

  constructor(
    private readonly options: RateLimitOptions,
    private readonly instruments: ClientInstruments,
  ) {
    this.limit = new PerSecond(options.rateLimitPerSecond, "requests a second");
  }

  /** Counts the request of an address.
   *  @returns the refusal if the client has used up its second */
  countAddress(request: Request, server: AddressServer | null): Promise<ApiError | undefined> {
    const address = clientAddress(request, server, this.options.trustsForwardedFor) ?? "";
    return this.count(stranger(address, silent));
  }

  /** Counts a request, or an operation over a socket.
   *  @param requests as how many requests it counts
   *  @returns the refusal if the client has used up its second */
  async count(requester: Requester, requests = 1): Promise<ApiError | undefined> {
    const refused = await this.limit.count(requester.client, requests);
    if (refused !== undefined) this.instruments.refused(requester, "rate");
    return refused;
  }
}

const silent = { changed: () => undefined, refused: () => undefined };

/** Paths for operators and their tools, which are never limited. */
const unlimitedPaths: ReadonlySet<string> = new Set(["/health", "/health/live", "/health/ready", "/metrics"]);

/** A ticket is a transaction of the database, where most requests are answered from memory or wait in a queue. */
const requestsPerTicket = 10;
const ticketsRoute = "/api/v1/tickets";

/** Refuses a client's requests above the limit. A request without a credential is its address's. One with a credential is counted once it is
 *  known whose it is, so that keys behind one address do not share a limit; if it is not valid, `UnauthenticatedLimit` counts it.
 *  @param sessionCookie the cookie of people who have signed in; undefined: people cannot */
export function rateLimit(limit: RateLimit, sessionCookie: string | undefined) {
  const isAnonymous = (request: Request): boolean =>
    outerOf(request) === undefined && credentialOf(request, sessionCookie) === undefined;
  return new Elysia({ name: "rate-limit" })
    .onRequest(async ({ request, server }) => {
      if (unlimitedPaths.has(pathOf(request.url)) || !isAnonymous(request)) return;
      const refused = await limit.countAddress(request, server);
      if (refused !== undefined) throw refused;
    })
    .onTransform({ as: "global" }, async ({ request, route }) => {
      if (unlimitedPaths.has(pathOf(request.url)) || isAnonymous(request)) return;
      const refused = await limit.count(requesterOf(request), route === ticketsRoute ? requestsPerTicket : 1);
      if (refused !== undefined) throw refused;
    });
}
