import { openFleet } from "../routes/fleet/open-fleet.ts";
import { gatewayRoutes } from "./gateway-routes.ts";
import type { Role } from "./role.ts";

/** Keeps the fleet in memory and serves the API. */
export const gateway: Role = {
  name: "gateway",
  writesHotTier: false,
  async open(shared) {
    const { config, etcd } = shared;
    const { queries } = await (etcd === undefined ? shared.store.open() : shared.store.openLate());
    const fleet = openFleet({ ...shared, queries: queries.fleet });
    return {
      services: [fleet],
      banner: {
        pages: [
          ["API", "/api/v1/gpus"],
          ["docs", "/docs"],
        ],
        facts: [],
      },
      servesFromMemory: () => fleet.isLoaded,
      routes: (process) =>
        gatewayRoutes({
          ...shared,
          ...process,
          queries,
          fleet,
          deadLetters: shared.queue.deadLetters,
          webSocket: config,
          graphql: { introspection: config.graphqlIntrospection, graphiql: config.graphiql },
          http: {
            rateLimitPerSecond: config.httpRateLimitPerSecond,
            trustsForwardedFor: config.httpTrustForwardedFor,
            corsOrigins: config.corsOrigins,
          },
        }),
    };
  },
};
