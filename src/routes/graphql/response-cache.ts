import type { Plugin } from "graphql-yoga";
import { compressed, compressMinBytes } from "../http/formats/compress.ts";
import { type Encoding, encodingOf } from "../http/formats/negotiate.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { graphqlError } from "../graphql-kit/graphql-errors.ts";
import type { FleetView } from "../fleet/fleet-index.ts";
import type { OperationContext } from "../graphql-kit/operation-context.ts";
import { bodyMaxBytes, readBody } from "./read-body.ts";

interface Answer {
  readonly text: string;
  readonly type: string;
  /** Made when it is first asked for. */
  readonly compressed: Map<Encoding, Promise<Uint8Array<ArrayBuffer>>>;
}

const answersMax = { entries: 256, characters: 64 * 1024 * 1024 };

/** Answers again what was asked before in the same words, where the answer was made of the fleet alone and the fleet has
 *  not changed since: the way through parser, validation and resolvers takes ten times as long as the rest.
 *  @param contextOf the context that a request's operation had; undefined where it came to none */
export function responseCache(view: FleetView, contextOf: (request: Request) => OperationContext | undefined): Plugin {
  const answers = new BoundedCache<Answer>(answersMax);
  const asked = new WeakMap<Request, { readonly key: string; readonly version: number }>();
  const shown = { version: NaN };
  const current = (): number => {
    if (shown.version !== view.version) answers.clear();
    shown.version = view.version;
    return shown.version;
  };
  return {
    onRequest: async (event) => {
      const { request } = event;
      if (request.headers.get("accept")?.includes("text/html") === true && request.method === "GET") return;
      const body = request.method === "POST" ? await readBody(request) : "";
      if (body === undefined) return event.endResponse(tooLarge());
      const key = keyOf(request, body);
      const version = current();
      const answer = answers.get(key);
      if (answer !== undefined) return event.endResponse(await responseOf(answer, request));
      // the body has been read
      const unread = request.method === "POST" ? withBody(request, body) : request;
      asked.set(unread, { key, version });
      event.setRequest(unread);
    },
    onResponse: async (event) => {
      const { request, response } = event;
      const question = asked.get(request);
      if (question === undefined || response.status !== 200 || contextOf(request)?.isOfFleetAlone !== true) return;
      const type = response.headers.get("content-type") ?? "";
      if (!type.includes("json") || question.version !== current()) return;
      const text = await response.text();
      event.setResponse(new Response(text, response));
      // the compressed ones together are shorter than the text
      answers.set(question.key, { text, type, compressed: new Map() }, 2 * text.length);
    },
  };
}

async function responseOf({ text, type, compressed: kept }: Answer, request: Request): Promise<Response> {
  const headers = { "content-type": type, vary: "accept, accept-encoding" };
  const encoding = text.length < compressMinBytes ? undefined : encodingOf(request);
  if (encoding === undefined) return new Response(text, { headers });
  let bytes = kept.get(encoding);
  if (bytes === undefined) kept.set(encoding, (bytes = compressed(text, encoding)));
  return new Response(await bytes, { headers: { ...headers, "content-encoding": encoding } });
}

function keyOf(request: Request, body: string): string {
  const { headers, method, url } = request;
  return [method, headers.get("accept"), headers.get("content-type"), url.slice(url.indexOf("?") + 1), body].join("\n");
}

function withBody({ url, method, headers, signal }: Request, body: string): Request {
  return new Request(url, { method, headers, signal, body });
}

function tooLarge(): Response {
  const error = graphqlError("BAD_REQUEST", `The request is longer than ${bodyMaxBytes} bytes`, { max: bodyMaxBytes });
  return Response.json({ errors: [error] }, { status: 413 });
}
