import { isSameOccupants } from "../../domain/gpu.ts";
import { type GpuSelector, selectsGpu } from "../../domain/gpu-selector.ts";
import type { StoredGpu, StoredRecord } from "../../domain/query.ts";
import type { LiveFleet } from "../fleet/fleet.ts";

/** A record that became its GPU's newest record, or a newest record whose metrics or workload changed. */
export interface LiveUpdate {
  readonly gpu: StoredGpu;
  readonly record: StoredRecord;
  /** The record of the GPU's previous update; undefined in the GPU's first update. It has the same instant
   *  as `record` if only values changed. */
  readonly previous?: StoredRecord | undefined;
}

/** Receives an update; must not throw. */
export type LiveListener = (update: LiveUpdate) => void;

/** Each GPU's newest record when it arrives or changes; the records of one GPU come in time order. */
export interface Feed {
  /** Calls the listener with every later update of a selected GPU. The fleet has the current records.
   *  @returns a function that ends the subscription; afterwards, the listener is not called again */
  subscribe(selector: GpuSelector, listener: LiveListener): () => void;
}

interface Subscriber {
  /** Without `uuids`, because subscribers that name GPUs are looked up by uuid. */
  readonly selector: GpuSelector;
  /** False if the selector has no field: then each GPU that the subscriber is indexed under is selected. */
  readonly isRestricted: boolean;
  readonly listener: LiveListener;
}

type Subscribers = Set<Subscriber>;

/** Publishes the newest records of a fleet.
 *
 *  Subscribers are indexed by the most selective field of their selector, so that an update visits only candidates. */
export class LiveFeed implements Feed {
  private readonly lastRecords = new Map<string, StoredRecord>();
  private readonly byUuid = new Map<string, Subscribers>();
  private readonly byHostname = new Map<string, Subscribers>();
  private readonly byClusterId = new Map<string, Subscribers>();
  private readonly others = new Map<"", Subscribers>();

  constructor(fleet: Pick<LiveFleet, "onMembers">) {
    fleet.onMembers((members) => {
      for (const { gpu, record } of members) {
        const previous = this.lastRecords.get(gpu.uuid);
        if (record === undefined || isSame(previous, record)) continue;
        this.lastRecords.set(gpu.uuid, record);
        this.publish({ gpu, record, previous });
      }
    });
  }

  subscribe({ uuids, ...selector }: GpuSelector, listener: LiveListener): () => void {
    const { hostname, clusterId } = selector;
    const subscriber = { selector, isRestricted: Object.keys(selector).length > 0, listener };
    if (uuids !== undefined) return addTo(this.byUuid, new Set(uuids), subscriber);
    if (hostname !== undefined) return addTo(this.byHostname, [hostname], subscriber);
    if (clusterId !== undefined) return addTo(this.byClusterId, [clusterId], subscriber);
    return addTo(this.others, [""], subscriber);
  }

  private publish(update: LiveUpdate): void {
    const { uuid, hostname, clusterId } = update.gpu;
    notify(this.byUuid.get(uuid), update);
    notify(this.byHostname.get(hostname), update);
    notify(this.byClusterId.get(clusterId), update);
    notify(this.others.get(""), update);
  }
}

/** Indexes a subscriber under each key.
 *  @returns a function that removes the subscriber from the index */
function addTo<Key extends string>(
  index: Map<Key, Subscribers>,
  keys: Iterable<Key>,
  subscriber: Subscriber,
): () => void {
  const indexedKeys = [...keys];
  for (const key of indexedKeys) {
    const subscribers = index.get(key);
    if (subscribers === undefined) index.set(key, new Set([subscriber]));
    else subscribers.add(subscriber);
  }
  return () => {
    for (const key of indexedKeys) {
      const subscribers = index.get(key);
      subscribers?.delete(subscriber);
      if (subscribers?.size === 0) index.delete(key);
    }
  };
}

function notify(candidates: Subscribers | undefined, update: LiveUpdate): void {
  if (candidates === undefined) return;
  const { gpu, record } = update;
  for (const { selector, isRestricted, listener } of candidates) {
    if (!isRestricted || selectsGpu(selector, gpu, record.occupants)) listener(update);
  }
}

/** True if the record did not change. The fleet also replaces a member when only its GPU changed; the new member's
 *  record then shares the values of the previous record. */
function isSame(previous: StoredRecord | undefined, record: StoredRecord): boolean {
  return (
    previous !== undefined &&
    previous.timeMs === record.timeMs &&
    previous.metrics === record.metrics &&
    previous.custom === record.custom &&
    isSameOccupants(previous.occupants, record.occupants)
  );
}
