import type { Config } from "../config/parse-config.ts";
import type { EtcdClient } from "../etcd/etcd-client.ts";
import type { Clock } from "../kit/clock.ts";
import { EtcdScalingRecords } from "../scaling/coordinator/etcd/etcd-scaling-records.ts";
import { ScalingKeys } from "../scaling/coordinator/etcd/scaling-keys.ts";
import { MemoryScalingRecords } from "../scaling/coordinator/memory/memory-scaling-records.ts";
import type { ScalingRecords } from "../scaling/coordinator/scaling-records.ts";
import { EtcdLeaderElection } from "../scaling/election/etcd/etcd-leader-election.ts";
import type { LeaderElection } from "../scaling/election/leader-election.ts";
import { MemoryLeaderElection } from "../scaling/election/memory/memory-leader-election.ts";

/** The parts by which coordinators agree, and other processes see what was decided. */
export interface ScalingParts {
  readonly election: LeaderElection;
  readonly records: ScalingRecords;
}

/** @param client etcd; undefined: this process is alone, and leads if it coordinates */
export function openScaling(
  { queueTopic: topic, serviceLeaseSeconds: leaseSeconds }: Config,
  client: EtcdClient | undefined,
  { instanceId, clock }: { readonly instanceId: string; readonly clock: Clock },
): ScalingParts {
  if (client === undefined) {
    return { election: new MemoryLeaderElection(), records: new MemoryScalingRecords(instanceId) };
  }
  const { leader: leaderKey } = new ScalingKeys(topic);
  return {
    election: new EtcdLeaderElection({ client, leaderKey, instanceId, leaseSeconds, clock }),
    records: new EtcdScalingRecords({ client, topic }),
  };
}
