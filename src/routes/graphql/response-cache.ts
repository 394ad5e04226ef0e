import type { Plugin } from "graphql-yoga";
import { LRUCache } from "lru-cache";
import type { Clock } from "../../kit/clock.ts";
import { requesterOf, withRequesterOf } from "../http/access/requester.ts";
import { CachedBody, ResponseCache } from "../http/response-cache.ts";
import type { GraphqlView, OperationContext } from "../graphql-kit/operation-context.ts";
import { bodyType } from "./request-rules.ts";
import { readBody } from "./read-body.ts";

const cacheMax = { maxEntries: 256, maxCharacters: 64 * 1024 * 1024 };
/** For the answers to callers with one selector, and how many selectors have answers in caches. */
const boundedCacheMax = { maxEntries: 64, maxCharacters: 2 * 1024 * 1024 };
const maxCaches = 100;

/** Caches the JSON answers with status 200 that are made only from the fleet, at most until the fleet changes. Parsing,
 *  validation and resolvers take ten times as long as the other work for an answer. The plugin also refuses a request whose
 *  body is too long, or takes too long.
 *  @param viewOf gives the view of a request's caller
 *  @param contextOf returns the context of a request's operation; undefined if the request was not executed */
export function responseCache(
  viewOf: (request: Request) => GraphqlView,
  contextOf: (request: Request) => OperationContext | undefined,
  clock: Clock,
): Plugin {
  const cacheOf = cachesByView();
  const requests = new WeakMap<
    Request,
    { readonly key: string; readonly responses: ResponseCache; readonly version: number }
  >();
  return {
    onRequest: async (event) => {
      const { request } = event;
      if (request.headers.get("accept")?.includes("text/html") === true && request.method === "GET") return;
      const sent = request.method === "POST" ? await readBody(request, clock) : { text: "" };
      if ("refusal" in sent) return event.endResponse(sent.refusal);
      const key = keyOf(request, sent.text);
      const responses = cacheOf(viewOf(request));
      const { version } = responses;
      const body = responses.get(key);
      if (body !== undefined) return event.endResponse(await body.answerTo(request, {}));
      // a body can be read only once, so a new request with the same text replaces this one
      const readable = request.method === "POST" ? withRequesterOf(request, withBody(request, sent.text)) : request;
      requests.set(readable, { key, responses, version });
      event.setRequest(readable);
    },
    onResponse: async (event) => {
      const { request, response } = event;
      const cacheable = requests.get(request);
      if (cacheable === undefined || response.status !== 200 || contextOf(request)?.usesOnlyFleet !== true) return;
      const type = response.headers.get("content-type") ?? "";
      if (!type.includes("json")) return;
      const text = await response.text();
      event.setResponse(new Response(text, response));
      cacheable.responses.set(cacheable.key, new CachedBody(text, type), cacheable.version);
    },
  };
}

/** A cache for each selector, because their fleets change at other times. */
function cachesByView(): (view: GraphqlView) => ResponseCache {
  const caches = new LRUCache<string, ResponseCache>({ max: maxCaches });
  return ({ key, index }) => {
    let cache = caches.get(key);
    const max = key === "" ? cacheMax : boundedCacheMax;
    if (cache === undefined) caches.set(key, (cache = new ResponseCache({ ...max, version: () => index.version })));
    return cache;
  };
}

function keyOf(request: Request, body: string): string {
  const { headers, method, url } = request;
  // an answer is another one for a caller with other scopes
  const { scopes } = requesterOf(request).caller.grant;
  return [
    scopes.join(),
    method,
    headers.get("accept"),
    headers.get("content-type"),
    url.slice(url.indexOf("?") + 1),
    body,
  ].join("\n");
}

/** @param given whose content-type Yoga would compare as it is */
function withBody({ url, method, headers: given, signal }: Request, body: string): Request {
  const headers = new Headers(given);
  headers.set("content-type", bodyType(given));
  return new Request(url, { method, headers, signal, body });
}
