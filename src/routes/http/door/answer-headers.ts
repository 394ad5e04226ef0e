import { Elysia } from "elysia";
import { withoutLength } from "../head-answer.ts";

/** Headers of every answer. A page has a policy of its own; whatever else a browser shows by mistake may load and run nothing.
 *  Source: https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers */
const headersOfAll = Object.entries({
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "referrer-policy": "same-origin",
  // for requests without CORS: images, scripts and frames of other pages
  "cross-origin-resource-policy": "same-origin",
});

/** The headers of a page that this process serves.
 *  @param sources what the page may load, as directives of its content security policy
 *  @param formAction where its forms may lead, redirects included */
export function pageHeaders(sources: string, formAction = "'none'"): Record<string, string> {
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": `default-src 'none'; ${sources}; connect-src 'self'; base-uri 'none'; form-action ${formAction}; frame-ancestors 'none'`,
    "cross-origin-opener-policy": "same-origin",
  };
}

type Handle = (...given: unknown[]) => Response | undefined | Promise<Response | undefined>;

export interface AnswerHeadersOptions {
  /** True if answers say which origins may read them. */
  readonly variesByOrigin: boolean;
  /** How long browsers shall use only TLS for the process's name; undefined without TLS, 0: not said. */
  readonly hstsSeconds?: number | undefined;
}

/** Adds the headers that every answer has, errors included. */
export function answerHeaders({ variesByOrigin, hstsSeconds = 0 }: AnswerHeadersOptions) {
  const finish = (request: Request, response: Response | undefined): Response | undefined => {
    if (response === undefined) return undefined;
    const { headers } = response;
    for (const [name, value] of headersOfAll) if (!headers.has(name)) headers.set(name, value);
    if (request.headers.has("cookie")) headers.set("cache-control", ofOnePerson(headers.get("cache-control")));
    if (variesByOrigin) headers.set("vary", withOrigin(headers.get("vary")));
    if (hstsSeconds > 0 && !isOwnMachine(request)) {
      headers.set("strict-transport-security", `max-age=${hstsSeconds}`);
    }
    if (request.method === "HEAD") withoutLength(request, response);
    return response;
  };
  return new Elysia({ name: "answer-headers" }).wrap((handle, request) => (...given: unknown[]) => {
    const response = (handle as unknown as Handle)(...given);
    return response instanceof Promise
      ? response.then((settled) => finish(request, settled))
      : finish(request, response);
  });
}

/** On the user's own machine, other programs use the same name without TLS. Browsers ignore the header for addresses.
 *  Source: https://www.rfc-editor.org/rfc/rfc6797#section-8.1.1 */
function isOwnMachine({ headers }: Request): boolean {
  return /^(?:[^:]+\.)?localhost(?::\d+)?$/i.test(headers.get("host") ?? "");
}

/** Keeps shared caches from giving the answer of one person to another: they do so for requests with a cookie.
 *  Source: https://www.rfc-editor.org/rfc/rfc9111#section-3 */
function ofOnePerson(cacheControl: string | null): string {
  return cacheControl === null ? "private, no-cache" : `private, ${cacheControl}`;
}

/** A Vary header with Origin among its names. The `*` that the CORS plugin writes would forbid every cache. */
function withOrigin(vary: string | null): string {
  const names = (vary ?? "").split(",").map((name) => name.trim());
  return ["origin", ...names.filter((name) => !["", "*", "origin"].includes(name.toLowerCase()))].join(", ");
}
