import type { Config } from "../config/parse-config.ts";
import { faultGuideOf } from "../faults/fault-guide.ts";
import { RulesInForce } from "../faults/rules/rules-in-force.ts";
import { SqlFaultStore } from "../faults/sql/sql-fault-store.ts";
import { SqlRejectedInputs } from "../pipeline/store/sql/sql-rejected-inputs.ts";
import { showServices } from "../scaling/registry/service-instruments.ts";
import { DamagedHistory } from "../routes/answers/costs/damaged-history.ts";
import { QueryPressure } from "../routes/answers/costs/query-pressure.ts";
import { EvaluationWatch } from "../routes/answers/faults/evaluation-watch.ts";
import { SocketTraces } from "../routes/live/socket-traces.ts";
import { FleetStates } from "../routes/fleet/fleet-states.ts";
import { openFleet } from "../routes/fleet/open-fleet.ts";
import { costLimits } from "./cost-limits.ts";
import { gatewayRoutes, type HttpOptions } from "./gateway-routes.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import type { SharedParts } from "./shared-parts.ts";
import { type CompareStores, compareBeforeStart, comparingWithTopic, StoreCheck } from "./store-check.ts";
import { openPush } from "./open-push.ts";
import { pushedQueue } from "./pushed-queue.ts";
import { openUploadIntake } from "./open-uploads.ts";
import { openRemoteWrite } from "./open-remote-write.ts";
import type { Role } from "./role.ts";

/** The gateway's pages in the banner. */
const pages = [
  ["dashboard", "/"],
  ["API", "/api/v1/gpus"],
  ["docs", "/docs"],
] as const;

/** Keeps the fleet in memory and serves the API. */
export const gateway: Role = {
  name: "gateway",
  writesHotTier: false,
  async open(shared) {
    const { config } = shared;
    const opened = await (shared.etcd === undefined ? shared.store.open() : shared.store.openLate());
    const compare = comparingWithTopic(shared, opened);
    await compareBeforeStart(compare);
    showServices(shared.serviceRegistry, shared.registry);
    const socketTraces = new SocketTraces(shared.tracing);
    const fleet = openFleet({ ...shared, queries: opened.queries.fleet, onArrived: socketTraces.arrived });
    const states = new FleetStates({ ...shared, store: opened.queries.fleet, fleet });
    const pressure = new QueryPressure(shared);
    const damage = new DamagedHistory(shared);
    const faults = new SqlFaultStore(opened.client);
    const evaluation = new EvaluationWatch({ ...shared, queries: faults.queries });
    const rules = await RulesInForce.open(config.faultRulesFile, shared.log);
    return {
      services: [fleet, states, pressure, damage, evaluation, ...storeChecks(shared, compare)],
      banner: { pages, facts: [] },
      servesFromMemory: () => fleet.isLoaded,
      load: () => Promise.resolve({}),
      routes: (process) =>
        gatewayRoutes({
          ...shared,
          ...process,
          questions: opened.questions,
          costs: costLimits(config, process.access.access.isRequired),
          ...{ pressure, damage, socketTraces },
          ...partsOf(shared, opened),
          inventory: opened.inventory,
          faults,
          faultGuide: async () => faultGuideOf(await rules.read(), rules.catalogue, config.faultRunbookUrl),
          fleet,
          administration: process.access.administer(opened.client),
          signIn: process.access.signIn,
          deadLetters: shared.queue.deadLetters,
          rejectedInputs: new SqlRejectedInputs(opened.client),
          scaling: shared.scaling.records,
          http: httpOptions(config, process.access.access.isRequired),
        }),
    };
  },
};

/** What follows from the settings, and needs at most the open store. */
function partsOf(shared: SharedParts, opened: OpenStore) {
  const { config } = shared;
  const pushed = { ...shared, queue: pushedQueue(shared) };
  const { settleAfterMinutes, settleHistory, clusterId, graphqlIntrospection: introspection, graphiql } = config;
  return {
    ...openPush(config, pushed),
    ...openRemoteWrite(config, pushed),
    ...openUploadIntake(opened, shared),
    archive: opened.archive,
    settleAfterMinutes,
    settleHistory,
    clusterId,
    fleetMetrics: { areServed: config.metricsFleet, staleAfterMs: config.metricsFleetStaleAfterMs },
    webSocket: config,
    graphql: { introspection, graphiql },
  };
}

function httpOptions(config: Config, isKeyRequired: boolean): HttpOptions {
  return {
    rateLimitPerSecond: config.httpRateLimitPerSecond ?? (isKeyRequired ? 1000 : 0),
    trustsForwardedFor: config.httpTrustForwardedFor && config.httpForwardedHops,
    corsOrigins: config.corsOrigins,
  };
}

/** Without etcd there is nothing to compare, and a collector in the same process compares before it collects. */
function storeChecks({ etcd, config, clock, log }: SharedParts, compare: CompareStores): StoreCheck[] {
  return etcd === undefined || config.roles.includes("collector")
    ? []
    : [new StoreCheck({ compare, etcd, clock, log })];
}
