import { messageOf } from "../../kit/message-of.ts";
import type { Backend } from "./backend.ts";
import type { Backends } from "./backends.ts";
import { errorResponse, noGateway } from "./error-response.ts";
import { forwardedHeaders, withoutConnectionHeaders } from "./request-headers.ts";

/** Methods whose requests may be sent again, because repeating them changes nothing.
 *  Source: https://www.rfc-editor.org/rfc/rfc9110#section-9.2.1 */
const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** The request never reached the gateway: nothing listens there, or its machine does not exist. */
const unsentCodes: ReadonlySet<string> = new Set(["ECONNREFUSED", "ConnectionRefused", "ENOTFOUND", "EHOSTUNREACH"]);
/** A request body up to this size is kept until the response begins, so that it can be sent to another gateway. */
const keptBodyMaxBytes = 256 * 1024;
/** A response body up to this size is short work for a client that reads: its request counts only until the response begins. */
const shortBodyMaxBytes = 64 * 1024;
/** The client has gone and does not see this status. */
const clientClosedRequest = 499;

/** Sends a request to a gateway, and streams the response back as it is: still compressed, and only as fast as the client reads.
 *  A request that did not reach its gateway is sent to another one; so is one that changes nothing and got no response.
 *  @param address of the client */
export async function forward(request: Request, address: string, backends: Backends): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const { method, signal } = request;
  const body = await bodyOf(request);
  const headers = forwardedHeaders(request, address);
  const tried = new Set<Backend>();
  let failure: Response | undefined;
  for (;;) {
    const backend = backends.choose(tried);
    if (backend === undefined) return failure ?? noGateway(backends.list().length);
    tried.add(backend);
    const end = backend.begin();
    try {
      const url = `${backend.url}${pathname}${search}`;
      return passedOn(await fetch(url, { method, headers, body, signal, redirect: "manual", decompress: false }), end);
    } catch (error) {
      end();
      if (signal.aborted) return new Response(null, { status: clientClosedRequest });
      const isUnsent = unsentCodes.has((error as { code?: string }).code ?? "");
      if (isUnsent) backend.failed();
      if (!isUnsent) failure = gatewayFailed(backend, error);
      const isRepeatable = !(body instanceof ReadableStream) && (isUnsent || safeMethods.has(method));
      if (!isRepeatable) return failure ?? noGateway(backends.list().length);
    }
  }
}

/** @returns null without a body; a stream if the body is long, or its length is unknown */
async function bodyOf(request: Request): Promise<ArrayBuffer | ReadableStream<Uint8Array> | null> {
  const length = Number(request.headers.get("content-length") ?? Infinity);
  if (request.body === null || length > keptBodyMaxBytes) return request.body;
  return request.arrayBuffer();
}

/** @param end called when the body has been read, has failed, or is no longer wanted */
function passedOn(response: Response, end: () => void): Response {
  const { status, statusText, body } = response;
  const headers = withoutConnectionHeaders(response.headers);
  if (body === null || Number(headers.get("content-length") ?? Infinity) <= shortBodyMaxBytes) {
    end();
    return new Response(body, { status, statusText, headers });
  }
  return new Response(counted(body, end), { status, statusText, headers });
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

function gatewayFailed({ name }: Backend, error: unknown): Response {
  return errorResponse({
    status: 502,
    code: "gateway_failed",
    message: "The gateway ended the connection before it answered; check whether the change was made, and try again",
    details: { gateway: name, reason: messageOf(error) },
  });
}
