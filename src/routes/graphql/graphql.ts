import { yoga } from "@elysiajs/graphql-yoga";
import { Elysia } from "elysia";
import type { Logger } from "pino";
import { BoundedCache } from "./bounded-cache.ts";
import { toGraphqlError } from "./faults.ts";
import { FleetView } from "./fleet-index.ts";
import { renderGraphiql } from "./graphiql.ts";
import { keptAnswers } from "./kept-answers.ts";
import { operationLimits } from "./limits/operation-limits.ts";
import { type GraphqlParts, OperationContext } from "./operation-context.ts";
import { requestRules } from "./request-rules.ts";
import { makeSchema } from "./schema.ts";

/** What operators may switch. */
export interface GraphqlSettings {
  readonly introspection: boolean;
  readonly graphiql: boolean;
}

export interface GraphqlOptions extends GraphqlParts {
  readonly settings: GraphqlSettings;
  readonly log: Logger;
}

/** Documents that are kept parsed and validated, and faults of those that could not be. */
const documentsMax = { entries: 1000, characters: 4 * 1024 * 1024 };

/** GraphQL at /graphql: GET, POST and, in a browser, GraphiQL. */
export function graphqlRoutes(options: GraphqlOptions) {
  const { log, settings } = options;
  const view = new FleetView(options.fleet);
  const contexts = new WeakMap<Request, OperationContext>();
  return new Elysia({ name: "graphql", detail: { hide: true } }).use(
    yoga({
      schema: makeSchema(),
      context: ({ request }) => {
        const operation = new OperationContext(options, view);
        contexts.set(request, operation);
        return { operation };
      },
      logging: false,
      landingPage: false,
      multipart: false,
      // kept-answers has read it already, within its own limit
      maxRequestBodySize: false,
      graphiql: settings.graphiql,
      renderGraphiQL: renderGraphiql,
      parserAndValidationCache: {
        documentCache: new BoundedCache(documentsMax),
        errorCache: new BoundedCache(documentsMax),
      },
      maskedErrors: { maskError: (error) => toGraphqlError(error, log) },
      plugins: [requestRules(settings), keptAnswers(view, (request) => contexts.get(request)), operationLimits(view)],
    }),
  );
}
