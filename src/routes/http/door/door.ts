import { Elysia } from "elysia";
import { isHostHeader } from "../../../kit/host-header.ts";
import type { HostNames } from "../../../kit/host-names.ts";
import type { AuditTrail } from "../../../access/audit.ts";
import { clientAddress, type TrustedHops } from "../access/client-address.ts";
import { stranger } from "../access/requester.ts";
import { ApiError, shown } from "../api-error.ts";
import { OriginRule } from "./origin-rule.ts";
import { pathOf } from "./request-path.ts";

export interface DoorOptions {
  /** The names under which the process answers. */
  readonly hosts: HostNames;
  /** Origins whose pages may use the API; `*`: every page may read; undefined: only the gateway's own. */
  readonly corsOrigins: readonly string[] | undefined;
}

interface DoorParts extends DoorOptions {
  readonly trail: AuditTrail;
  /** Whether X-Forwarded-For has the client's address. */
  readonly trustsForwardedFor: TrustedHops;
}

/** Paths for probes. Their answers tell nothing, and a balancer may ask under any name. */
const openPaths: ReadonlySet<string> = new Set(["/health/live", "/health/ready"]);

/** Paths of pages for people, which other pages may link to. Without a query, none of them reads the store. */
const pagePaths: ReadonlySet<string> = new Set([
  "/",
  "/docs",
  "/swagger",
  "/swagger/",
  "/graphql",
  "/graphql/",
  "/sign-in",
  "/sign-out",
]);

/** Pages whose query is for nothing but signing in; providers lead to them. */
const signInPaths: ReadonlySet<string> = new Set(["/sign-in", "/sign-in/callback"]);

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** Refuses requests before a route is chosen: those for another name than the process's own, and those that a page of another origin
 *  sends. Tells the audit log. Mount it before every route, and after what makes error responses. */
export function door({ hosts, corsOrigins, trail, trustsForwardedFor }: DoorParts) {
  const origins = new OriginRule(corsOrigins);
  return new Elysia({ name: "door" }).onRequest(({ request, server }) => {
    const { headers, method, url } = request;
    const path = pathOf(url);
    const note = (result: "host_not_allowed" | "cross_origin", target: string | null): void => {
      const address = clientAddress(request, server, trustsForwardedFor) ?? "";
      stranger(address, trail).refused(`${method} ${path}`, target ?? "", result);
    };
    // only HTTP/1.0 allows a request without Host, and no browser speaks it
    const host = headers.get("host");
    if (host !== null && !isHostHeader(host)) throw invalidHost(host);
    if (safeMethods.has(method) && openPaths.has(path)) return;
    if (host !== null && !hosts.includes(host)) {
      note("host_not_allowed", host);
      throw hostNotAllowed(host);
    }
    // the browser asks before it sends; the answer says which origins may
    if (method === "OPTIONS") return;
    const sender = origins.senderOf(headers);
    if (sender === "self" || sender === "listed") return;
    const isRead = safeMethods.has(method) && !headers.has("upgrade");
    if (sender === "reader" && (isRead || isForReaders(path))) return;
    if (isRead && isNavigation(headers) && (headers.get("sec-fetch-user") === "?1" || isPage(path, url))) return;
    note("cross_origin", headers.get("origin"));
    throw crossOriginRefused(request, path);
  });
}

/** Reads that are no GET: GraphQL's operations, which refuse mutations of these pages themselves, and the socket of newest records. */
function isForReaders(path: string): boolean {
  return ["/graphql", "/graphql/", "/ws", "/ws/"].includes(path);
}

/** True if a browser's window shows the answer: a link, not an image, a frame or a script. */
function isNavigation(headers: Headers): boolean {
  return headers.get("sec-fetch-mode") === "navigate" && headers.get("sec-fetch-dest") === "document";
}

function isPage(path: string, url: string): boolean {
  return signInPaths.has(path) || (pagePaths.has(path) && !url.includes("?"));
}

function invalidHost(host: string): ApiError {
  return new ApiError(400, "invalid_host", {
    message: "The Host header is not usable; expected one host name or address, with or without a port",
    details: { value: shown(host) },
  });
}

function hostNotAllowed(host: string): ApiError {
  return new ApiError(421, "host_not_allowed", {
    message: `There is no service under the name ${JSON.stringify(shown(host))} here; if it is a name of this service, add it to ALLOWED_HOSTS`,
    details: { host: shown(host), setting: "ALLOWED_HOSTS" },
  });
}

function crossOriginRefused({ headers, method }: Request, path: string): ApiError {
  const origin = headers.get("origin");
  const page = origin === null ? "A page of another origin" : `A page of ${shown(origin)}`;
  const verb = headers.has("upgrade") ? "open a WebSocket at" : method === "GET" ? "read" : `send ${shown(method)} to`;
  return new ApiError(403, "cross_origin", {
    message: `${page} may not ${verb} ${shown(path)} here; if the page may, add its origin to CORS_ORIGINS`,
    details: { origin: origin === null ? null : shown(origin), path: shown(path), setting: "CORS_ORIGINS" },
  });
}
