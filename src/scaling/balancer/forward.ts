import { messageOf } from "../../kit/message-of.ts";
import type { Backend } from "./backend.ts";
import type { Backends } from "./backends.ts";
import { gatewayFailed, gatewayTimeout, noGateway } from "./error-response.ts";
import { type BalancerClient, forwardedHeaders, withoutConnectionHeaders } from "./request-headers.ts";

/** Methods whose requests may be sent again, because repeating them changes nothing.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1 */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** The request never reached the gateway: nothing listens there, or its machine does not exist. */
const unsentCodes: ReadonlySet<string> = new Set(["ECONNREFUSED", "ConnectionRefused", "ENOTFOUND", "EHOSTUNREACH"]);
/** A request body up to this size is kept until the response begins, so that it can be sent to another gateway. */
const keptBodyMaxBytes = 256 * 1024;
/** A response body up to this size is read in whole before the client gets the response: if its gateway dies meanwhile, another one
 *  can answer. */
const shortBodyMaxBytes = 64 * 1024;
/** The client has gone and does not see this status. */
const clientClosedRequest = 499;

/** A request as gateways get it. */
interface Outgoing {
  readonly method: string;
  readonly pathAndQuery: string;
  readonly headers: Headers;
  readonly body: ArrayBuffer | ReadableStream<Uint8Array> | null;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /** True if the request may be sent again even if a gateway has received it. */
  readonly isRepeatable: boolean;
}

/** A gateway's response, or the error for the client if there is none. */
type Outcome =
  { readonly response: Response } | { readonly failure: Response; readonly mayTryAnother: boolean } | undefined;

/** Sends a request to a gateway, and streams the response back as it is: still compressed, and only as fast as the client reads.
 *  A request that did not reach its gateway is sent to another one; so is one that changes nothing and got no response, or
 *  waits for a gateway that has become silent. */
export async function forward(request: Request, client: BalancerClient, backends: Backends): Promise<Response> {
  const outgoing = await outgoingOf(request, client);
  if (outgoing === undefined) return new Response(null, { status: clientClosedRequest });
  const tried = new Set<Backend>();
  let failure: Response | undefined;
  for (;;) {
    const backend = backends.choose(tried);
    if (backend === undefined) return failure ?? noGateway(backends.list().length);
    tried.add(backend);
    const outcome = await send(outgoing, backend, backends);
    if (outcome === undefined) continue;
    if ("response" in outcome) return outcome.response;
    ({ failure } = outcome);
    if (!outcome.mayTryAnother) return failure;
  }
}

/** @returns undefined if the client has gone before its body was complete */
async function outgoingOf(request: Request, client: BalancerClient): Promise<Outgoing | undefined> {
  const { pathname, search } = new URL(request.url);
  const { method, signal } = request;
  try {
    const body = await bodyOf(request);
    return {
      ...{ method, signal, body, pathAndQuery: `${pathname}${search}`, headers: forwardedHeaders(request, client) },
      isRepeatable: safeMethods.has(method) && !(body instanceof ReadableStream),
    };
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** @returns null without a body; a stream if the body is long, or its length is unknown */
async function bodyOf(request: Request): Promise<ArrayBuffer | ReadableStream<Uint8Array> | null> {
  if (request.body === null || isPassedAsItComes(request)) return request.body;
  return request.arrayBuffer();
}

/** Whether a request's body is long, or of unknown length. */
export function isPassedAsItComes({ headers, body }: Request): boolean {
  return body !== null && Number(headers.get("content-length") ?? Infinity) > keptBodyMaxBytes;
}

/** @returns undefined if the request did not reach the gateway and can be sent to another one */
async function send(outgoing: Outgoing, backend: Backend, backends: Backends): Promise<Outcome> {
  const { clock, responseTimeoutMs, tlsOption } = backends;
  const { method, headers, body, signal, isRepeatable } = outgoing;
  const end = backend.begin();
  const ending = new AbortController();
  let isLate = false;
  const abandon = (): void => {
    isLate = true;
    ending.abort();
  };
  const sinceMs = body instanceof ReadableStream ? undefined : clock.nowMs();
  const endWait = backend.wait({ sinceMs, isMovable: isRepeatable, abandon });
  if (signal.aborted) ending.abort();
  signal.addEventListener("abort", () => ending.abort(), { once: true });
  try {
    const url = `${backend.url}${outgoing.pathAndQuery}`;
    const options = {
      method,
      headers,
      body,
      signal: ending.signal,
      redirect: "manual",
      decompress: false,
      ...tlsOption,
    } as const;
    return { response: await passedOn(await fetch(url, options), { isHead: method === "HEAD", end }) };
  } catch (error) {
    end();
    if (signal.aborted) return { response: new Response(null, { status: clientClosedRequest }) };
    const about = { gateway: backend.name, isRepeatable };
    if (isLate) return { failure: gatewayTimeout({ ...about, responseTimeoutMs }), mayTryAnother: isRepeatable };
    const isUnsent = unsentCodes.has((error as { code?: string }).code ?? "");
    if (isUnsent) backend.failed(messageOf(error));
    if (isUnsent && !(body instanceof ReadableStream)) return undefined;
    return { failure: gatewayFailed({ ...about, reason: messageOf(error) }), mayTryAnother: isRepeatable };
  } finally {
    endWait();
  }
}

/** @param end called when the body has been read, has failed, or is no longer wanted */
async function passedOn(
  response: Response,
  { isHead, end }: { readonly isHead: boolean; readonly end: () => void },
): Promise<Response> {
  const { status, statusText, body } = response;
  const init = { status, statusText, headers: withoutConnectionHeaders(response.headers) };
  if (body !== null && Number(init.headers.get("content-length") ?? Infinity) > shortBodyMaxBytes)
    return new Response(counted(body, end), init);
  // a gateway need not know the length of what GET would get; Bun would say that it is 0
  if (isHead && !init.headers.has("content-length")) init.headers.set("transfer-encoding", "chunked");
  const whole = body === null ? null : await response.arrayBuffer();
  end();
  return new Response(whole, init);
}

function counted(body: ReadableStream<Uint8Array>, end: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    cancel(reason) {
      end();
      return reader.cancel(reason);
    },
  });
}
