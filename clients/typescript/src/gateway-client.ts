import createClient, { type Client } from "openapi-fetch";
import { GatewayError, GatewayUnreachable } from "./gateway-error.ts";
import type { paths } from "./generated/schema.ts";

/** What a call asks for unless its Accept header says otherwise: lists as CSV or NDJSON are texts (`parseAs: "text"`). */
type Media = "application/json" | "text/plain";

/** Every path of the gateway by its method: `gateway.GET("/api/v1/gpus/{uuid}", { params: { path: { uuid } } })`. */
export type GatewayClient = Client<paths, Media>;

export interface GatewayClientOptions {
  /** Where the gateway is, such as `http://localhost:8080`. */
  readonly baseUrl: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** An answer has to be complete after so long, milliseconds; 30,000 unless told. Infinity for downloads of any size. */
  readonly timeoutMs?: number;
  /** Instead of the runtime's own. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** Makes a client. It holds nothing open, and need not be closed.
 *  A call resolves to `{ data }`, or to `{ error }` with what the gateway answered where that was no success; `answerOf`
 *  makes an exception of the latter.
 *  @returns a client whose calls reject with GatewayUnreachable where no answer comes
 *  @throws TypeError where baseUrl is none */
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

/** What a call gave.
 *  @throws GatewayError where the gateway answered with no success
 *  @throws GatewayUnreachable where it did not answer */
export async function answerOf<Data>(
  call: Promise<{ readonly data?: Data; readonly error?: unknown; readonly response: Response }>,
): Promise<Data> {
  const { data, error, response } = await call.catch((cause: unknown) => {
    throw isOwn(cause) ? cause : new GatewayUnreachable(`The answer broke off: ${reasonOf(cause)}`, { cause });
  });
  // an answer without a body has neither
  if (response.ok && error === undefined) return data as Data;
  throw errorOf(response, error);
}

/** A path alone is a URL in a browser's page. */
function checkBaseUrl(baseUrl: string): void {
  const isPath = baseUrl.startsWith("/") && "location" in globalThis;
  const isUrl = /^https?:\/\//.test(baseUrl) && URL.canParse(baseUrl);
  if (isPath || isUrl) return;
  throw new TypeError(`${JSON.stringify(baseUrl)} is no URL of a gateway; expected such as http://localhost:8080`);
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

/** Said by `fetch` above, or the caller's own wish to end the call. */
function isOwn(cause: unknown): boolean {
  return cause instanceof GatewayUnreachable || (cause instanceof Error && cause.name === "AbortError");
}

/** Node says "fetch failed", and why only in its cause. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${reasonOf(cause.cause)}` : cause.message;
}
