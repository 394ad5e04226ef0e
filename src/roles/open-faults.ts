import { pipelineRoot } from "../etcd/pipeline-root.ts";
import { FaultEvaluation } from "../faults/leader/fault-evaluation.ts";
import { FaultInstruments } from "../faults/leader/fault-instruments.ts";
import { Webhook } from "../faults/notify/webhook.ts";
import { RulesInForce } from "../faults/rules/rules-in-force.ts";
import { SqlFaultStore } from "../faults/sql/sql-fault-store.ts";
import { defined } from "../kit/defined.ts";
import type { Service } from "../kit/service.ts";
import type { OpenStore } from "../pipeline/store/open-store.ts";
import { EtcdLeaderElection } from "../scaling/election/etcd/etcd-leader-election.ts";
import type { LeaderElection } from "../scaling/election/leader-election.ts";
import { MemoryLeaderElection } from "../scaling/election/memory/memory-leader-election.ts";
import type { SharedParts } from "./shared-parts.ts";
import { SharedStore } from "./shared-store.ts";

/** The services that evaluate faults: in a coordinator, and in a process that collects and serves. One of all these processes leads.
 *  @throws the errors of `SharedStore.openLate` */
export async function openFaults(shared: SharedParts): Promise<readonly Service[]> {
  const { roles, databaseUrl, faultRulesFile, faultRetentionDays: keepDays } = shared.config;
  const { log, config } = shared;
  const runs = (...names: readonly string[]): boolean => names.every((name) => roles.some((role) => role === name));
  if (!runs("coordinator") && !runs("streamer", "collector", "gateway")) return [];
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
      ...{ ...shared, election: electionOf(shared), ledger, queries, rules, keepDays, instruments },
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

function electionOf({ config, etcd: client, instanceId, clock }: SharedParts): LeaderElection {
  if (client === undefined) return new MemoryLeaderElection();
  const leaderKey = `${pipelineRoot(config.queueTopic)}/faults/leader`;
  return new EtcdLeaderElection({ client, leaderKey, instanceId, leaseSeconds: config.serviceLeaseSeconds, clock });
}
