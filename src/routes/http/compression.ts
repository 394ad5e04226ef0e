import { Elysia } from "elysia";
import { compressed, compressMinBytes } from "./formats/compress.ts";
import { type Encoding, encodingOf } from "./formats/negotiate.ts";

/** Compresses JSON answers of 1 KiB or more with status 200, if the client accepts compression and the answer is not already
 *  compressed. The hook itself is not async, so that a request that accepts no compression costs no promise. */
export function compression() {
  return new Elysia({ name: "compression" }).onAfterHandle({ as: "global" }, ({ request, responseValue, set }) => {
    if ((set.status ?? 200) !== 200 || !request.headers.has("accept-encoding")) return undefined;
    const encoding = encodingOf(request);
    if (encoding === undefined) return undefined;
    if (responseValue instanceof Response) {
      return isUncompressedJson(responseValue) ? compressedResponse(responseValue, encoding) : undefined;
    }
    if (typeof responseValue !== "object" || responseValue === null) return undefined;
    const headers = new Headers(set.headers as Record<string, string>);
    headers.set("content-type", "application/json");
    return compressedBody(JSON.stringify(responseValue), { status: 200, headers }, encoding);
  });
}

async function compressedResponse(answer: Response, encoding: Encoding): Promise<Response> {
  const { status, headers } = answer;
  return compressedBody(
    new Uint8Array(await answer.arrayBuffer()),
    { status, headers: new Headers(headers) },
    encoding,
  );
}

interface AnswerHead {
  readonly status: number;
  /** Changed in place. */
  readonly headers: Headers;
}

async function compressedBody(
  body: string | Uint8Array<ArrayBuffer>,
  { status, headers }: AnswerHead,
  encoding: Encoding,
): Promise<Response> {
  headers.append("vary", "accept-encoding");
  if (Buffer.byteLength(body) < compressMinBytes) return new Response(body, { status, headers });
  headers.delete("content-length");
  headers.set("content-encoding", encoding);
  return new Response(await compressed(body, encoding), { status, headers });
}

function isUncompressedJson({ headers, body }: Response): boolean {
  const isJson = /^application\/(?:[\w.+-]+\+)?json/.test(headers.get("content-type") ?? "");
  return body !== null && isJson && !headers.has("content-encoding");
}
