import { pipelineRoot } from "../etcd/pipeline-root.ts";
import { FaultEvaluation } from "../faults/leader/fault-evaluation.ts";
import { FaultInstruments } from "../faults/leader/fault-instruments.ts";
import { SharedStoreTier } from "../faults/leader/shared-store-tier.ts";
import { Webhook } from "../faults/notify/webhook.ts";
import { RulesInForce } from "../faults/rules/rules-in-force.ts";
import { SqlFaultStore } from "../faults/sql/sql-fault-store.ts";
import { defined } from "../kit/defined.ts";
import type { Service } from "../kit/service.ts";
import type { HotTier } from "../pipeline/hot/hot-tier.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import type { FleetQueries } from "../pipeline/store/telemetry-queries.ts";
import { EtcdLeaderElection } from "../scaling/election/etcd/etcd-leader-election.ts";
import type { LeaderElection } from "../scaling/election/leader-election.ts";
import { MemoryLeaderElection } from "../scaling/election/memory/memory-leader-election.ts";
import { PostgresLeaderElection } from "../scaling/election/postgres/postgres-leader-election.ts";
import type { SharedParts } from "./shared-parts.ts";
import { SharedStore } from "./shared-store.ts";

/** The key of the leader's lock in PostgreSQL: an arbitrary number, the same for every process of this program. */
const leaderLock = 7_165_201_389;

/** The services that evaluate faults: in a coordinator, and in a process that has a whole pipeline, or without etcd all of it but the
 *  gateway, which may then be a process of its own. One of all these processes leads.
 *  @throws the errors of `SharedStore.openLate` */
export async function openFaults(shared: SharedParts): Promise<readonly Service[]> {
  const { roles, databaseUrl, faultRulesFile, faultRetentionDays: keepDays } = shared.config;
  const { log, config } = shared;
  const runs = (...names: readonly string[]): boolean => names.every((name) => roles.some((role) => role === name));
  const isWhole = runs("streamer", "collector") && (runs("gateway") || shared.etcd === undefined);
  if (!runs("coordinator") && !isWhole) return [];
  if (shared.store.current === undefined && databaseUrl === undefined) {
    log.warn("faults are not evaluated by this process: DATABASE_URL is not set");
    return [];
  }
  const { opened, close } = await openedStore(shared);
  const rules = await RulesInForce.open(faultRulesFile, log);
  const { queries, client } = opened;
  const { ledger, queries: notified, outbox } = new SqlFaultStore(client);
  const webhookOptions = defined({ secret: config.faultWebhookSecret, runbookUrl: config.faultRunbookUrl });
  const instruments = new FaultInstruments(shared.registry);
  return [
    new FaultEvaluation({
      ...{ ...shared, election: electionOf(shared), hotTier: hotTierOf(shared, queries.fleet) },
      ...{ ledger, queries, rules, keepDays, instruments },
      notifying: { queries: notified, outbox },
      webhooks: (config.faultWebhookUrls ?? []).map((url) => new Webhook(url, webhookOptions)),
      onClosed: close,
    }),
  ];
}

/** A coordinator needs no store for its own work, and is well without one: its store for faults is its own. */
async function openedStore(
  shared: SharedParts,
): Promise<{ readonly opened: OpenStore; readonly close: () => Promise<void> }> {
  const { store, config, clock, log } = shared;
  if (store.current !== undefined) return { opened: store.current, close: () => Promise.resolve() };
  const own = new SharedStore(config, { clock, log, onChange: () => undefined });
  return { opened: await own.openLate(), close: () => own.close() };
}

/** Without etcd, one of the processes that share a database leads; the embedded store has one process. */
function electionOf({ config, etcd: client, instanceId, clock }: SharedParts): LeaderElection {
  const { databaseUrl: url, serviceLeaseSeconds: leaseSeconds } = config;
  if (client === undefined) {
    if (url === undefined) return new MemoryLeaderElection();
    return new PostgresLeaderElection({ url, lockKey: leaderLock, leaseSeconds, clock });
  }
  const leaderKey = `${pipelineRoot(config.queueTopic)}/faults/leader`;
  return new EtcdLeaderElection({ client, leaderKey, instanceId, leaseSeconds, clock });
}

/** Without etcd, the hot tier has only what this process has collected. */
function hotTierOf({ config, etcd, hotTier, clock }: SharedParts, fleet: FleetQueries): Pick<HotTier, "follow"> {
  if (etcd !== undefined || config.databaseUrl === undefined) return hotTier;
  return new SharedStoreTier({ hotTier, fleet, clock });
}
