import type { StoredGpu, StoredRecord } from "../../domain/query.ts";
import type { Fleet } from "../fleet/fleet.ts";

/** Whose records somebody wants to hear of; absent fields do not restrict, an empty list of GPUs fits none. */
export interface LiveFilter {
  readonly gpuUuids?: readonly string[];
  readonly hostname?: string;
  readonly clusterId?: string;
  /** Kubernetes namespace of what held the GPU. */
  readonly namespace?: string;
}

/** A record that became a GPU's newest one, or a newest one that got more metrics. */
export interface LiveUpdate {
  readonly gpu: StoredGpu;
  readonly record: StoredRecord;
  /** What was told of the GPU before; of the same instant where the record got more metrics. */
  readonly before?: StoredRecord | undefined;
}

/** Told of an update; must not throw. */
export type LiveListener = (update: LiveUpdate) => void;

interface Subscription {
  readonly filter: LiveFilter;
  readonly listener: LiveListener;
}

type Subscriptions = Set<Subscription>;

/** Tells of every newest record as it comes, to those who want it. A GPU's records come in the order of their instants.
 *
 *  Subscriptions are kept under the narrowest thing that their filter names: an update is looked up, and costs what those
 *  who may want it cost. One feed a gateway. */
export class LiveFeed {
  private readonly told = new Map<string, StoredRecord>();
  private readonly ofGpus = new Map<string, Subscriptions>();
  private readonly ofHosts = new Map<string, Subscriptions>();
  private readonly ofClusters = new Map<string, Subscriptions>();
  private readonly ofAll = new Map<"", Subscriptions>();

  constructor(fleet: Pick<Fleet, "onMembers">) {
    fleet.onMembers((members) => {
      for (const { gpu, record } of members) {
        const before = this.told.get(gpu.uuid);
        if (record === undefined || isSame(before, record)) continue;
        this.told.set(gpu.uuid, record);
        this.tell({ gpu, record, before });
      }
    });
  }

  /** Tells of what comes from now on; what there is already is the fleet's to say.
   *  @returns ends it; the listener is not called again */
  subscribe(filter: LiveFilter, listener: LiveListener): () => void {
    const { gpuUuids, hostname, clusterId } = filter;
    const subscription = { filter, listener };
    if (gpuUuids !== undefined) return keep(this.ofGpus, new Set(gpuUuids), subscription);
    if (hostname !== undefined) return keep(this.ofHosts, [hostname], subscription);
    if (clusterId !== undefined) return keep(this.ofClusters, [clusterId], subscription);
    return keep(this.ofAll, [""], subscription);
  }

  private tell(update: LiveUpdate): void {
    const { uuid, hostname, clusterId } = update.gpu;
    tellThose(this.ofGpus.get(uuid), update);
    tellThose(this.ofHosts.get(hostname), update);
    tellThose(this.ofClusters.get(clusterId), update);
    tellThose(this.ofAll.get(""), update);
  }
}

/** Keeps a subscription under keys. @returns takes it away */
function keep<Key extends string>(
  kept: Map<Key, Subscriptions>,
  keys: Iterable<Key>,
  subscription: Subscription,
): () => void {
  const under = [...keys];
  for (const key of under) {
    const there = kept.get(key);
    if (there === undefined) kept.set(key, new Set([subscription]));
    else there.add(subscription);
  }
  return () => {
    for (const key of under) {
      const there = kept.get(key);
      there?.delete(subscription);
      if (there?.size === 0) kept.delete(key);
    }
  };
}

function tellThose(there: Subscriptions | undefined, update: LiveUpdate): void {
  if (there === undefined) return;
  for (const { filter, listener } of there) if (isWanted(filter, update)) listener(update);
}

/** True where an update fits what a filter says beside the GPUs: these are looked up. */
export function isWanted({ hostname, clusterId, namespace }: LiveFilter, { gpu, record }: LiveUpdate): boolean {
  return (
    (hostname === undefined || gpu.hostname === hostname) &&
    (clusterId === undefined || gpu.clusterId === clusterId) &&
    (namespace === undefined || record.namespace === namespace)
  );
}

/** A member is replaced for other reasons, too: its record is then made anew out of the same values. */
function isSame(told: StoredRecord | undefined, record: StoredRecord): boolean {
  return (
    told !== undefined &&
    told.timeMs === record.timeMs &&
    told.metrics === record.metrics &&
    told.custom === record.custom &&
    told.container === record.container &&
    told.pod === record.pod &&
    told.namespace === record.namespace
  );
}
