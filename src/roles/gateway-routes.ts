import { type AnyElysia, Elysia } from "elysia";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Clock } from "../kit/clock.ts";
import type { DeadLetters, Queue } from "../pipeline/queue/queue.ts";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { FleetAnswers } from "../routes/answers/fleet-answers.ts";
import { HistoryAnswers } from "../routes/answers/history-answers.ts";
import type { Fleet } from "../routes/fleet/fleet.ts";
import { type GraphqlSettings, graphqlRoutes } from "../routes/graphql/graphql-routes.ts";
import { compression } from "../routes/http/compression.ts";
import { crossOrigin } from "../routes/http/cross-origin.ts";
import { type RateLimitOptions, rateLimit } from "../routes/http/rate-limit.ts";
import { LiveFeed } from "../routes/live/live-feed.ts";
import { liveRoutes } from "../routes/live/live-routes.ts";
import type { LiveSettings } from "../routes/live/live-settings.ts";
import { docsRoutes } from "../routes/openapi/openapi-routes.ts";
import { gpuHistoryRoutes } from "../routes/resources/gpus/gpu-history-routes.ts";
import { gpuRoutes } from "../routes/resources/gpus/gpu-routes.ts";
import { clusterHostRoutes } from "../routes/resources/hierarchy/cluster-host-routes.ts";
import { clusterRoutes } from "../routes/resources/hierarchy/cluster-routes.ts";
import { hostRoutes } from "../routes/resources/hierarchy/host-routes.ts";
import { pipelineRoutes } from "../routes/resources/pipeline/pipeline-routes.ts";
import { quarantineRoutes } from "../routes/resources/quarantine/quarantine-routes.ts";
import { aggregateRoutes } from "../routes/resources/telemetry/aggregate-routes.ts";
import { telemetryRoutes } from "../routes/resources/telemetry/telemetry-routes.ts";
import type { ProcessParts } from "./role.ts";

export interface HttpOptions extends RateLimitOptions {
  /** Origins whose pages may read; undefined for none but its own. */
  readonly corsOrigins: readonly string[] | undefined;
}

export interface GatewayOptions extends ProcessParts {
  readonly fleet: Fleet;
  readonly queries: TelemetryQueries;
  readonly queue: Pick<Queue, "stats">;
  readonly deadLetters: DeadLetters;
  /** How a gateway treats its clients. */
  readonly http: HttpOptions;
  readonly graphql: GraphqlSettings;
  readonly webSocket: LiveSettings;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The API with its documentation, and what is done to every request to it. */
export function gatewayRoutes(options: GatewayOptions): readonly AnyElysia[] {
  const { http } = options;
  return [
    ...(http.rateLimitPerSecond > 0 ? [rateLimit(http)] : []),
    ...(http.corsOrigins === undefined ? [] : [crossOrigin(http.corsOrigins)]),
    api(options),
  ];
}

function api(options: GatewayOptions): AnyElysia {
  const { fleet, queries, version, clock, app } = options;
  const answers = new FleetAnswers(fleet);
  const history = new HistoryAnswers(queries, clock);
  const feed = new LiveFeed(fleet);
  return new Elysia({ name: "gateway" })
    .use(compression())
    .use(gpuRoutes(answers))
    .use(gpuHistoryRoutes(history, queries))
    .use(clusterRoutes(answers, queries))
    .use(clusterHostRoutes(answers, history))
    .use(hostRoutes(answers))
    .use(telemetryRoutes(answers, history))
    .use(aggregateRoutes(queries, clock))
    .use(quarantineRoutes(queries))
    .use(pipelineRoutes(options))
    .use(liveRoutes({ ...options, feed, settings: options.webSocket }))
    .use(
      graphqlRoutes({
        ...options,
        history,
        feed,
        settings: options.graphql,
        wsMaxConnections: options.webSocket.wsMaxConnections,
      }),
    )
    .use(docsRoutes({ app, version }));
}
