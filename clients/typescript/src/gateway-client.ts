import createClient, { type Client } from "openapi-fetch";
import { GatewayError, GatewayUnreachable } from "./gateway-error.ts";
import type { paths } from "./generated/schema.ts";

/** The media types of answers, unless a call's Accept header requests another type. CSV and NDJSON need
 *  `parseAs: "text"`. */
type Media = "application/json" | "text/plain";

/** The gateway's paths, by method: `gateway.GET("/api/v1/gpus/{uuid}", { params: { path: { uuid } } })`. */
export type GatewayClient = Client<paths, Media>;

export interface GatewayClientOptions {
  /** The gateway's URL, such as `http://localhost:8080`; in a browser, also a path, such as `/telemetry`. */
  readonly baseUrl: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long a complete answer may take, in milliseconds. Default 30,000; Infinity for downloads of any size. */
  readonly timeoutMs?: number;
  /** Sends a request; by default, the runtime's own `fetch`. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** Creates a client, which keeps no connection open and does not have to be closed.
 *
 *  A call resolves to `{ data }`, or to `{ error }` with the body of an error answer; `answerOf` turns `{ error }` into
 *  an exception. A call rejects with GatewayUnreachable if no answer arrives, with the runtime's own error if only a part
 *  of the answer arrives, and with the caller's reason if the caller aborts the call.
 *  @throws TypeError if baseUrl is neither an http(s) URL nor, in a browser, a path */
export function createGatewayClient(options: GatewayClientOptions): GatewayClient {
  const { baseUrl, headers = {}, timeoutMs = 30_000, fetch: send = (request) => fetch(request) } = options;
  checkBaseUrl(baseUrl);
  return createClient<paths, Media>({
    baseUrl,
    headers,
    fetch: async (request) => {
      const limited = timeoutMs === Infinity ? request : limitedTo(timeoutMs, request);
      try {
        return await send(limited);
      } catch (cause) {
        if (request.signal.aborted) throw cause;
        throw new GatewayUnreachable(`${request.method} ${request.url} got no answer: ${reasonOf(cause)}`, { cause });
      }
    },
  });
}

/** The data of a call's answer; undefined if the answer has no body.
 *  @throws GatewayError if the gateway answered with an error
 *  @throws GatewayUnreachable if no complete answer arrived, or if the caller aborted the call with a reason of its own
 *  @throws AbortError if the caller aborted the call without a reason */
export async function answerOf<Data>(
  call: Promise<{ readonly data?: Data; readonly error?: unknown; readonly response: Response }>,
): Promise<Data> {
  const { data, error, response } = await call.catch((cause: unknown) => {
    throw passesUnchanged(cause)
      ? cause
      : new GatewayUnreachable(`The answer broke off: ${reasonOf(cause)}`, { cause });
  });
  // an answer without a body has neither data nor error
  if (response.ok && error === undefined) return data as Data;
  throw errorOf(response, error);
}

function checkBaseUrl(baseUrl: string): void {
  const isPath = baseUrl.startsWith("/") && "location" in globalThis;
  const isUrl = /^https?:\/\//.test(baseUrl) && URL.canParse(baseUrl);
  if (isPath || isUrl) return;
  throw new TypeError(
    `baseUrl=${JSON.stringify(baseUrl)} is not an http(s) URL; expected one such as http://localhost:8080`,
  );
}

function errorOf({ status, url }: Response, body: unknown): GatewayError {
  const { code, message, details } = (body as { readonly error?: Partial<GatewayError> } | undefined)?.error ?? {};
  return new GatewayError(status, code ?? "", {
    message: message ?? `${url} answered ${status}: ${typeof body === "string" ? body : JSON.stringify(body)}`,
    details: details ?? {},
  });
}

function limitedTo(timeoutMs: number, request: Request): Request {
  return new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]) });
}

/** True for the errors that `answerOf` rethrows unchanged: GatewayUnreachable and AbortError. */
function passesUnchanged(cause: unknown): boolean {
  return cause instanceof GatewayUnreachable || (cause instanceof Error && cause.name === "AbortError");
}

/** The messages of an error and all its causes: Node's own message is only "fetch failed". */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${reasonOf(cause.cause)}` : cause.message;
}
