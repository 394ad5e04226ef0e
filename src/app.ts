import { type AnyElysia, Elysia } from "elysia";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { Role } from "./config/config-schema.ts";
import type { Clock } from "./kit/clock.ts";
import type { Fleet } from "./routes/fleet/fleet.ts";
import type { DeadLetters, Queue } from "./pipeline/queue/queue.ts";
import type { Service } from "./kit/service.ts";
import type { TelemetryQueries } from "./pipeline/store/telemetry-queries.ts";
import type { TelemetryStore } from "./pipeline/store/telemetry-store.ts";
import { compression } from "./routes/http/compression.ts";
import { crossOrigin } from "./routes/http/cross-origin.ts";
import { pipelineRoutes } from "./routes/resources/pipeline/pipeline-routes.ts";
import { type RateLimitOptions, rateLimit } from "./routes/http/rate-limit.ts";
import { aggregateRoutes } from "./routes/resources/telemetry/aggregate-routes.ts";
import { clusterHostRoutes } from "./routes/resources/hierarchy/cluster-host-routes.ts";
import { clusterRoutes } from "./routes/resources/hierarchy/cluster-routes.ts";
import { docsRoutes } from "./routes/openapi/openapi-routes.ts";
import { errorHandling } from "./routes/http/error-handling.ts";
import { FleetAnswers } from "./routes/answers/fleet-answers.ts";
import { type GraphqlSettings, graphqlRoutes } from "./routes/graphql/graphql-routes.ts";
import { gpuHistoryRoutes } from "./routes/resources/gpus/gpu-history-routes.ts";
import { gpuRoutes } from "./routes/resources/gpus/gpu-routes.ts";
import { healthRoutes } from "./routes/operations/health-routes.ts";
import { HistoryAnswers } from "./routes/answers/history-answers.ts";
import { hostRoutes } from "./routes/resources/hierarchy/host-routes.ts";
import { httpInstruments } from "./routes/operations/http-instruments.ts";
import { quarantineRoutes } from "./routes/resources/quarantine/quarantine-routes.ts";
import { LiveFeed } from "./routes/live/live-feed.ts";
import type { LiveSettings } from "./routes/live/live-settings.ts";
import { liveRoutes, socketSettings } from "./routes/live/live-routes.ts";
import { prometheusRoutes } from "./routes/operations/prometheus-routes.ts";
import { telemetryRoutes } from "./routes/resources/telemetry/telemetry-routes.ts";

export interface HttpOptions extends RateLimitOptions {
  /** Origins whose pages may read; undefined for none but its own. */
  readonly corsOrigins: readonly string[] | undefined;
}

export interface AppOptions {
  readonly roles: readonly Role[];
  /** The fleet in memory; undefined in a process that is no gateway. */
  readonly fleet: Fleet | undefined;
  /** Both are undefined in a process that only streams. */
  readonly queries: TelemetryQueries | undefined;
  readonly store: Pick<TelemetryStore, "ping"> | undefined;
  readonly engine: () => string | undefined;
  readonly queue: Pick<Queue, "stats">;
  readonly deadLetters: DeadLetters;
  /** How a gateway treats its clients. */
  readonly http: HttpOptions;
  readonly graphql: GraphqlSettings;
  readonly services: readonly Service[];
  /** Its other metrics are shown too; one app a registry. */
  readonly registry: Registry;
  readonly version: string;
  readonly clusterId: string;
  readonly webSocket: LiveSettings;
  /** Aborted when the process is going to stop: what stays open by itself is closed then. */
  readonly stopping: AbortSignal;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The HTTP side of a process: every role has health and metrics, the gateway the API and its documentation.
 *  Neither listens nor starts anything. */
export function composeApp(options: AppOptions): Elysia {
  // normalize would silently drop what a schema does not know. Bun's own router would decode and match paths
  // differently from Elysia's, and from what tests see through `app.handle`.
  const websocket = socketSettings(options.webSocket);
  const app = new Elysia({ name: "app", normalize: false, systemRouter: false, websocket })
    .use(errorHandling({ routes: () => app.routes, log: options.log }))
    .use(httpInstruments(options.registry))
    .use(healthRoutes(options))
    .use(prometheusRoutes(options)) as unknown as Elysia;
  const { queries, fleet, http } = options;
  if (options.roles.includes("gateway") && queries !== undefined && fleet !== undefined) {
    if (http.rateLimitPerSecond > 0) app.use(rateLimit(http));
    if (http.corsOrigins !== undefined) app.use(crossOrigin(http.corsOrigins));
    app.use(gateway({ ...options, queries, fleet, app: () => app }));
  }
  return app;
}

interface GatewayParts extends AppOptions {
  readonly fleet: Fleet;
  readonly queries: TelemetryQueries;
  readonly app: () => AnyElysia;
}

function gateway(parts: GatewayParts) {
  const { fleet, queries, version, clock, app } = parts;
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
    .use(pipelineRoutes(parts))
    .use(liveRoutes({ ...parts, feed, settings: parts.webSocket }))
    .use(
      graphqlRoutes({
        ...parts,
        history,
        feed,
        settings: parts.graphql,
        wsMaxConnections: parts.webSocket.wsMaxConnections,
      }),
    )
    .use(docsRoutes({ app, version }));
}
