import { type AnyElysia, Elysia } from "elysia";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { FaultGuide } from "../faults/fault-guide.ts";
import type { FaultStore } from "../faults/fault-store.ts";
import type { GpuBounds } from "../domain/gpu-bounds.ts";
import type { Clock } from "../kit/clock.ts";
import type { SignIn } from "../access/sign-in.ts";
import { dashboardRoutes } from "../dashboard/dashboard-routes.ts";
import { mcpRoutes } from "../mcp/mcp-routes.ts";
import type { DeadLetters, Queue } from "../pipeline/queue/queue.ts";
import type { OtlpBody } from "../pipeline/source/otlp.ts";
import type { UploadIntake } from "../pipeline/source/upload.ts";
import type { ArchiveLedger } from "../pipeline/store/archive-ledger.ts";
import type { UploadList } from "../pipeline/store/upload-store.ts";
import type { PushIntake } from "../pipeline/source/push.ts";
import type { WriteBody } from "../pipeline/source/remote-write.ts";
import type { TargetStates } from "../pipeline/source/target-states.ts";
import type { Questions } from "../pipeline/store/telemetry-queries.ts";
import type { ServiceRegistry } from "../scaling/registry/service-registry.ts";
import type { ScalingRecords } from "../scaling/coordinator/scaling-records.ts";
import { readRowAgain } from "../pipeline/source/csv/read-row-again.ts";
import type { RejectedInputs } from "../pipeline/store/rejected-inputs.ts";
import { DeadLetterAnswers } from "../routes/answers/dead-letters.ts";
import type { Inventory } from "../pipeline/store/inventory.ts";
import { FaultOrderAnswers } from "../routes/answers/faults/fault-orders.ts";
import { InventoryAnswers } from "../routes/answers/inventory-answers.ts";
import { RejectedInputAnswers } from "../routes/answers/rejected-inputs.ts";
import { PipelineAnswers } from "../routes/answers/pipeline-answers.ts";
import type { LiveFleet } from "../routes/fleet/fleet.ts";
import { type GraphqlSettings, graphqlRoutes } from "../routes/graphql/graphql-routes.ts";
import { CostedQueries } from "../routes/answers/costs/costed-queries.ts";
import { QueryCosts, type QueryCostsOptions } from "../routes/answers/costs/query-costs.ts";
import type { DamagedHistory } from "../routes/answers/costs/damaged-history.ts";
import type { QueryPressure } from "../routes/answers/costs/query-pressure.ts";
import { RowEstimates } from "../routes/answers/costs/row-estimates.ts";
import { askers } from "../routes/http/access/asker.ts";
import { ClientCosts, type ClientLimits } from "../routes/http/costs/client-costs.ts";
import { OriginRule } from "../routes/http/door/origin-rule.ts";
import { requesterOf } from "../routes/http/access/requester.ts";
import { compression } from "../routes/http/compression.ts";
import { crossOrigin } from "../routes/http/cross-origin.ts";
import { RateLimit, type RateLimitOptions, rateLimit } from "../routes/http/rate-limit.ts";
import type { ResourceParts } from "../routes/resources/resource.ts";
import { resources } from "../routes/resources/resources.ts";
import { liveRoutes } from "../routes/live/live-routes.ts";
import type { LiveSettings } from "../routes/live/live-settings.ts";
import type { SocketTraces } from "../routes/live/socket-traces.ts";
import { signInRoutes } from "../routes/http/sign-in/sign-in-routes.ts";
import { docsRoutes } from "../routes/openapi/openapi-routes.ts";
import { type GatewayView, gatewayViews, type QueriesOf } from "./gateway-views.ts";
import type { AccessAdministration } from "./open-access.ts";
import type { ProcessParts } from "./role.ts";

export interface HttpOptions extends RateLimitOptions {
  /** Origins whose pages may read the API; undefined: only the gateway's own. */
  readonly corsOrigins: readonly string[] | undefined;
}

/** The limits of what one client may cost. */
export type CostLimits = ClientLimits & Pick<QueryCostsOptions, "heavyPerClient">;

export interface GatewayOptions extends Omit<ProcessParts, "access"> {
  readonly fleet: LiveFleet;
  readonly questions: Questions;
  readonly costs: CostLimits;
  readonly pressure: QueryPressure;
  readonly damage: DamagedHistory;
  /** SETTLE_AFTER_MINUTES. */
  readonly settleAfterMinutes: number;
  /** SETTLE_HISTORY. */
  readonly settleHistory: boolean;
  readonly inventory: Inventory;
  readonly faults: Pick<FaultStore, "queries" | "orders">;
  readonly faultGuide: () => Promise<FaultGuide>;
  /** CLUSTER_ID: the cluster of devices that are not known yet. */
  readonly clusterId: string;
  readonly queue: Pick<Queue, "stats" | "publish">;
  readonly push: PushIntake;
  readonly pushMaxBytes: number;
  readonly write: PushIntake<WriteBody>;
  readonly otlp: PushIntake<OtlpBody>;
  readonly writeMaxBytes: number;
  readonly archive: Pick<ArchiveLedger, "files" | "state">;
  readonly uploads: UploadList;
  readonly uploadIntake: UploadIntake;
  readonly uploadMaxBytes: number;
  readonly deadLetters: DeadLetters;
  readonly rejectedInputs: RejectedInputs;
  readonly serviceRegistry: Pick<ServiceRegistry, "list">;
  readonly targetStates: Pick<TargetStates, "list">;
  readonly scaling: Pick<ScalingRecords, "read">;
  readonly administration: AccessAdministration;
  /** Undefined: people cannot sign in here. */
  readonly signIn: SignIn | undefined;
  readonly fleetMetrics: ResourceParts["fleetMetrics"];
  readonly http: HttpOptions;
  readonly graphql: GraphqlSettings;
  readonly webSocket: LiveSettings;
  readonly socketTraces?: SocketTraces;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The API with its documentation, behind the rate limit and the headers for other origins, if these are configured. */
export function gatewayRoutes(options: GatewayOptions): readonly AnyElysia[] {
  const { http } = options;
  const clients = new ClientCosts({ ...options, limits: options.costs });
  const limit = http.rateLimitPerSecond > 0 ? new RateLimit(http, clients.instruments) : undefined;
  return [
    askers(clients),
    ...(limit === undefined ? [] : [rateLimit(limit, options.signIn?.place.sessionCookie)]),
    ...(http.corsOrigins === undefined ? [] : [crossOrigin(http.corsOrigins)]),
    api(options, clients, limit),
  ];
}

function api(options: GatewayOptions, clients: ClientCosts, limit: RateLimit | undefined): AnyElysia {
  const { fleet, questions, inventory, faults, clock, webSocket, ...others } = options;
  const { ask, requireAnswers } = new QueryCosts({ ...options, ...options.costs, clients });
  const queriesOf: QueriesOf = (of, isBounded) => {
    // what a question costs must not tell how many records others have
    const size = async () => ({ ...(await questions.size()), ...(isBounded ? { records: 0 } : {}) });
    return new CostedQueries(ask, new RowEstimates({ fleet: of, clock, size }));
  };
  // on behalf of all callers with a selector, not of the one who asks first
  const { fleet: whole } = questions.ask("heavy", new AbortController().signal);
  const firstSeen = (within: GpuBounds) => whole.firstSeen(within);
  const views = gatewayViews({ fleet, queriesOf, firstSeen, inventory, faults: faults.queries, clock });
  const viewOf = (request: Request): GatewayView => views.of(requesterOf(request).caller);
  const ofAll = queriesOf(fleet, false);
  const parts = {
    ...others,
    ...{ limit, clock, viewOf, requireAnswers },
    origins: new OriginRule(options.http.corsOrigins),
    quarantine: ofAll.quarantine,
    pipeline: new PipelineAnswers({ ...options, quarantine: ofAll.quarantine, settling: ofAll.settling }),
    inventory: new InventoryAnswers(inventory),
    faultOrders: new FaultOrderAnswers({ ...faults, inventory, clock }),
    deadLetters: new DeadLetterAnswers(options.deadLetters),
    rejectedInputs: rejectedInputsOf(options),
  };
  const app: AnyElysia = new Elysia({ name: "gateway" }).use(compression());
  app.use(new Elysia({ name: "views" }).onTransform({ as: "scoped" }, async ({ request }) => viewOf(request).ready()));
  for (const routes of resources.flatMap((resource) => resource.routes(parts))) app.use(routes);
  return app
    .use(liveRoutes({ ...parts, viewFor: (caller) => views.of(caller), settings: webSocket }))
    .use(graphqlRoutes({ ...parts, settings: options.graphql, wsMaxConnections: webSocket.wsMaxConnections }))
    .use(docsRoutes(options))
    .use(mcpRoutes(options))
    .use(dashboardRoutes())
    .use(signInRoutes(options.signIn));
}

function rejectedInputsOf({ rejectedInputs: inputs, queue, fleet, clusterId }: GatewayOptions): RejectedInputAnswers {
  return new RejectedInputAnswers({
    ...{ inputs, queue },
    readAgain: (raw) => readRowAgain({ raw, clusterId }),
    clusterOf: (uuid) => fleet.members({ uuids: [uuid] })[0]?.gpu.clusterId,
  });
}
