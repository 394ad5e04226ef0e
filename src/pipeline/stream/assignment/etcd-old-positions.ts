import type { EtcdClient } from "../../../etcd/etcd-client.ts";
import { isAbsent, isUnchangedSince, prefixRange, remove } from "../../../etcd/requests.ts";
import type { OldPositions } from "../position-upkeep.ts";
import { checkpointsPrefix, sourceOfLatest, LiveKeys } from "./checkpoint-keys.ts";
import { readLatest } from "./stored-plan.ts";
import { TargetKeys } from "./target-keys.ts";

/** The old positions of a pipeline's live sources in etcd. */
export class EtcdOldPositions implements OldPositions {
  constructor(
    private readonly client: EtcdClient,
    private readonly topic: string,
  ) {}

  async remove(beforeMs: number): Promise<number> {
    const { client, topic } = this;
    const { kvs } = await client.range(prefixRange(checkpointsPrefix(topic)));
    const targets = new TargetKeys(topic);
    let removed = 0;
    for (const { key, value, mod_revision: revision } of kvs) {
      const sourceId = sourceOfLatest(topic, key.toString());
      if (sourceId === undefined || readLatest(value) >= beforeMs) continue;
      const keys = new LiveKeys(topic, sourceId);
      const { succeeded } = await client.txn({
        compare: [isUnchangedSince(keys.latest, revision), isAbsent(keys.owner), isAbsent(targets.owner(sourceId))],
        success: [remove(keys.latest), remove(keys.series)],
      });
      if (succeeded) removed += 1;
    }
    return removed;
  }
}
