import { yoga } from "@elysiajs/graphql-yoga";
import { Elysia } from "elysia";
import type { DocumentNode } from "graphql";
import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { DeadLetters } from "../../pipeline/queue/queue.ts";
import { DeadLetterAnswers } from "../answers/dead-letters.ts";
import { toGraphqlError } from "../graphql-kit/graphql-errors.ts";
import { FleetView } from "../fleet/fleet-index.ts";
import { guardedPage, renderGraphiql } from "./graphiql.ts";
import { responseCache } from "./response-cache.ts";
import { Admission } from "../graphql-kit/live/admission.ts";
import { GraphqlSockets, type Yoga } from "./live/graphql-socket.ts";
import { subscriptionInstruments } from "./live/subscription-instruments.ts";
import { operationLimits } from "./limits/operation-limits.ts";
import { type GraphqlParts, OperationContext } from "../graphql-kit/operation-context.ts";
import { requestRules } from "./request-rules.ts";
import { makeSchema } from "./schema.ts";

/** What operators may switch. */
export interface GraphqlSettings {
  readonly introspection: boolean;
  readonly graphiql: boolean;
}

export interface GraphqlOptions extends Omit<GraphqlParts, "desk" | "admission"> {
  readonly settings: GraphqlSettings;
  readonly deadLetters: DeadLetters;
  /** Connections to /graphql by WebSocket. */
  readonly wsMaxConnections: number;
  /** Aborted when the process is going to stop. */
  readonly stopping: AbortSignal;
  readonly registry: Registry;
  readonly log: Logger;
}

/** Of all clients, by WebSocket and as events over HTTP. */
const subscriptionsMax = 10_000;

/** Documents that are cached parsed and validated, and the errors of those that are invalid. */
const documentsMax = {
  max: 1000,
  maxSize: 4 * 1024 * 1024,
  // an empty document has a size, too: the cache accepts no size of 0
  sizeCalculation: (_: unknown, document: string): number => document.length + 1,
};

/** GraphQL at /graphql: GET, POST, WebSocket (graphql-transport-ws) and, in a browser, GraphiQL. */
export function graphqlRoutes(options: GraphqlOptions) {
  const { settings, stopping, wsMaxConnections } = options;
  const admission = new Admission(subscriptionsMax, stopping);
  const parts: GraphqlParts = { ...options, admission, desk: new DeadLetterAnswers(options.deadLetters) };
  const made: { yoga?: Yoga } = {};
  const yogaMade = (): Yoga => made.yoga as Yoga;
  const sockets = new GraphqlSockets({ ...options, yoga: yogaMade, most: wsMaxConnections });
  subscriptionInstruments(options.registry, { connections: () => sockets.count, subscriptions: () => admission.count });
  return new Elysia({ name: "graphql", detail: { hide: true } })
    .onBeforeHandle(({ request, server }) => {
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return undefined;
      sockets.upgrade(request, server);
      return new Response(null, { status: 101 });
    })
    .use(
      yoga({
        ...answering(parts, { ...settings, onMade: (instance) => (made.yoga = instance) }, options.log),
        schema: makeSchema(),
        logging: false,
        landingPage: false,
        multipart: false,
        graphiql: settings.graphiql,
        renderGraphiQL: renderGraphiql,
        // kept-answers has read the body already, within its own limit
        maxRequestBodySize: false,
      }),
    );
}

interface AnsweringSettings extends GraphqlSettings {
  /** The plugin keeps what it makes to itself; WebSockets need it, too. */
  readonly onMade: (yoga: Yoga) => void;
}

/** How operations are answered, and what is kept of them. */
function answering(parts: GraphqlParts, { onMade, ...settings }: AnsweringSettings, log: Logger) {
  const view = new FleetView(parts.fleet);
  const contexts = new WeakMap<Request, OperationContext>();
  return {
    context: ({ request }: { readonly request: Request }) => {
      const operation = new OperationContext(parts, view);
      contexts.set(request, operation);
      return { operation };
    },
    parserAndValidationCache: {
      documentCache: new LRUCache<string, DocumentNode>(documentsMax),
      errorCache: new LRUCache<string, object>(documentsMax),
    },
    maskedErrors: { maskError: (error: unknown) => toGraphqlError(error, log) },
    plugins: [
      { onYogaInit: ({ yoga: instance }: { readonly yoga: unknown }) => onMade(instance as Yoga) },
      requestRules(settings),
      guardedPage(),
      responseCache(view, (request) => contexts.get(request)),
      operationLimits(view),
    ],
  };
}
