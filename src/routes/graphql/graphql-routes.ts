import { yoga } from "@elysiajs/graphql-yoga";
import { Elysia } from "elysia";
import type { DocumentNode, GraphQLError } from "graphql";
import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import { isHandshake, offeredProtocols } from "../../kit/web-socket-handshake.ts";
import { hiddenDetail } from "../http/access/access-rule.ts";
import { requesterOf } from "../http/access/requester.ts";
import type { OriginRule } from "../http/door/origin-rule.ts";
import type { RateLimit } from "../http/rate-limit.ts";
import { toGraphqlError } from "../graphql-kit/graphql-errors.ts";
import { Admission } from "../graphql-kit/live/admission.ts";
import { type GraphqlParts, type GraphqlView, OperationContext } from "../graphql-kit/operation-context.ts";
import { rewriteAccept } from "./accepted-types.ts";
import { GraphiqlPage } from "./graphiql.ts";
import { operationLimits } from "./limits/operation-limits.ts";
import { GraphqlSockets, type Yoga } from "./live/graphql-socket.ts";
import { multipartSubscriptions } from "./live/multipart.ts";
import { requireProtocol } from "./live/subprotocol.ts";
import { subscriptionInstruments } from "./live/subscription-instruments.ts";
import { readerMutations } from "./reader-mutations.ts";
import { requestRules, withoutSuggestions } from "./request-rules.ts";
import { responseCache } from "./response-cache.ts";
import { makeSchema } from "./schema.ts";

/** The features that an operator can switch off. */
export interface GraphqlSettings {
  readonly introspection: boolean;
  readonly graphiql: boolean;
}

export interface GraphqlOptions extends Omit<GraphqlParts, "admission"> {
  /** Gives the view of a request's caller. */
  readonly viewOf: (request: Request) => GraphqlView;
  readonly settings: GraphqlSettings;
  /** The most WebSocket connections to /graphql at a time. */
  readonly wsMaxConnections: number;
  /** Aborted when the process is about to stop. */
  readonly stopping: AbortSignal;
  /** Counts the operations over sockets like requests; undefined: no limit. */
  readonly limit: RateLimit | undefined;
  /** Tells which operations come from pages that may only read. */
  readonly origins: OriginRule;
  readonly registry: Registry;
  readonly log: Logger;
}

/** The maximum number of subscriptions of all clients together, over WebSockets and as events over HTTP. */
const maxSubscriptions = 10_000;

/** The limits of the cache of parsed documents, and of the cache of parse errors. */
const documentCacheOptions = {
  max: 1000,
  maxSize: 4 * 1024 * 1024,
  // plus 1, because the cache does not accept the size 0 of an empty document
  sizeCalculation: (_: unknown, document: string): number => document.length + 1,
};

/** GraphQL at /graphql: GET, POST and WebSocket (graphql-transport-ws), for any key: each field has its scope. Browsers get GraphiQL, unless the settings switch it
 *  off. */
export function graphqlRoutes(options: GraphqlOptions) {
  const { registry, stopping, wsMaxConnections } = options;
  const admission = new Admission(maxSubscriptions, stopping);
  const parts = { ...options, admission };
  const instance = new YogaInstance();
  const sockets = new GraphqlSockets({
    yoga: () => instance.current,
    maxConnections: wsMaxConnections,
    stopping,
    limit: options.limit,
    log: options.log,
  });
  subscriptionInstruments(registry, { connections: () => sockets.count, subscriptions: () => admission.count });
  return new Elysia({ name: "graphql", detail: hiddenDetail({ scope: "any" }) })
    .onBeforeHandle(({ request, server }) => {
      // before Yoga decides whether to answer with GraphiQL
      rewriteAccept(request.headers);
      // the balancer asks again without a handshake to learn why one was refused
      if (offeredProtocols(request.headers).length > 0) requireProtocol(request.headers);
      if (!isHandshake(request.headers)) return undefined;
      sockets.upgrade(request, server);
      return new Response(null, { status: 101 });
    })
    .use(yoga({ ...yogaOptions(parts, options.settings, instance), schema: makeSchema() }));
}

/** A Yoga plugin that captures the Yoga instance for the WebSockets, because Elysia's plugin creates the instance and does
 *  not expose it. */
class YogaInstance {
  private yoga: Yoga | undefined;

  readonly onYogaInit = ({ yoga }: { readonly yoga: unknown }): void => {
    this.yoga = yoga as Yoga;
  };

  /** Yoga is created with the routes, before any request. */
  get current(): Yoga {
    return this.yoga as Yoga;
  }
}

function shownError(thrown: unknown, { introspection }: GraphqlSettings, log: Logger): GraphQLError {
  const error = toGraphqlError(thrown, log);
  return introspection ? error : withoutSuggestions(error);
}

/** The uuid of a GPU that the caller of a request may see. */
function firstGpu({ fleet }: GraphqlView, request: Request): string | undefined {
  if (!fleet.isLoaded || !requesterOf(request).caller.may("read")) return undefined;
  return fleet.gpus({})[0]?.uuid;
}

function yogaOptions(
  parts: GraphqlParts & Pick<GraphqlOptions, "log" | "origins" | "viewOf">,
  settings: GraphqlSettings,
  instance: YogaInstance,
) {
  const { viewOf } = parts;
  const graphiql = new GraphiqlPage((request) => firstGpu(viewOf(request), request));
  const contexts = new WeakMap<Request, OperationContext>();
  return {
    context: async ({ request }: { readonly request: Request }) => {
      const view = viewOf(request);
      // a socket may have been open for long
      await view.ready();
      const operation = new OperationContext(parts, view, requesterOf(request));
      contexts.set(request, operation);
      return { operation };
    },
    parserAndValidationCache: {
      documentCache: new LRUCache<string, DocumentNode>(documentCacheOptions),
      errorCache: new LRUCache<string, object>(documentCacheOptions),
    },
    maskedErrors: { maskError: (thrown: unknown) => shownError(thrown, settings, parts.log) },
    plugins: [
      instance,
      requestRules(settings),
      multipartSubscriptions(parts.clock),
      graphiql.plugin(),
      responseCache(viewOf, (request) => contexts.get(request), parts.clock),
      operationLimits(parts.log),
      readerMutations(parts.origins),
    ],
    logging: false,
    landingPage: false,
    multipart: false,
    graphiql: settings.graphiql,
    renderGraphiQL: graphiql.render,
    // responseCache reads the body, and has its own limit
    maxRequestBodySize: false as const,
  };
}
