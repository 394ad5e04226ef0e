import { byPlace } from "../../domain/gpu.ts";
import { migInstanceOf } from "../../domain/mig-instance.ts";
import type { StoredGpu, StoredRecord } from "../../domain/query.ts";
import type { FleetMember } from "./fleet.ts";
import type { GpuState, HotChanges, NewestRecord } from "../../pipeline/hot/hot-tier.ts";
import { mergeRecords } from "../../pipeline/hot/merge-records.ts";
import { mergeStates, type TieRule } from "../../pipeline/hot/merge-state.ts";

/** The data that the store and the hot tier have delivered about one GPU. */
interface MemberEntry {
  state: GpuState | undefined;
  record: NewestRecord | undefined;
  /** The instant of the GPU's newest record according to the store, which may have deleted that record since. -Infinity until
   *  the store delivers the GPU. */
  lastSeenAtMs: number;
  member: FleetMember | undefined;
}

/** Merges changes of GPUs into members of the fleet, and keeps the members in order. */
export class FleetMembers {
  private readonly entries = new Map<string, MemberEntry>();
  private instances = 0;
  /** The UUIDs in the order of `all`; undefined if a GPU was added or changed its place since the last sort. */
  private order: string[] | undefined;
  private orderedMembers: readonly FleetMember[] | undefined;

  /** @returns the members that are new or replaced */
  merge(changes: HotChanges): FleetMember[] {
    return this.mergeAll(changes, "greatest");
  }

  private mergeAll({ gpus, records }: HotChanges, winsTie: TieRule): FleetMember[] {
    const changed = new Set<MemberEntry>();
    for (const incoming of gpus) {
      const entry = this.entryOf(incoming.gpu.uuid);
      const state = mergeStates(entry.state, incoming, winsTie);
      if (state !== entry.state) changed.add(entry);
      entry.state = state;
    }
    for (const incoming of records) {
      const entry = this.entryOf(incoming.uuid);
      const record = entry.record === undefined ? incoming : mergeRecords(entry.record, incoming);
      if (record !== entry.record) changed.add(entry);
      entry.record = record;
    }
    return this.replaceMembers(changed);
  }

  /** Merges the store's GPUs and records. Existing attributes win over the store's attributes of the same instant, because
   *  the hot tier may have delivered them after the store was read.
   *  @returns the members that are new or replaced */
  mergeStored(gpus: readonly StoredGpu[], latest: readonly StoredRecord[]): FleetMember[] {
    const changed = new Set<MemberEntry>();
    for (const { uuid, lastSeenAtMs } of gpus) {
      const entry = this.entryOf(uuid);
      if (lastSeenAtMs > entry.lastSeenAtMs) changed.add(entry);
      entry.lastSeenAtMs = Math.max(entry.lastSeenAtMs, lastSeenAtMs);
    }
    const updated = this.mergeAll({ gpus: gpus.map(stateOf), records: latest.map(newestOf) }, "existing");
    return [...new Set([...this.replaceMembers(changed), ...updated])];
  }

  /** The number of GPUs and MIG instances. Includes those whose attributes have not arrived yet. */
  get size(): number {
    return this.entries.size;
  }

  /** How many of them are MIG instances. */
  get instanceCount(): number {
    return this.instances;
  }

  get(uuid: string): FleetMember | undefined {
    return this.entries.get(uuid)?.member;
  }

  /** Ordered by hostname, then gpuId, then uuid. */
  all(): readonly FleetMember[] {
    if (this.orderedMembers !== undefined) return this.orderedMembers;
    this.order ??= [...this.entries.values()]
      .flatMap(({ member }) => (member === undefined ? [] : [member.gpu]))
      .sort(byPlace)
      .map(({ uuid }) => uuid);
    this.orderedMembers = this.order.map((uuid) => this.entries.get(uuid)?.member as FleetMember);
    return this.orderedMembers;
  }

  private entryOf(uuid: string): MemberEntry {
    let entry = this.entries.get(uuid);
    if (entry === undefined) {
      entry = { state: undefined, record: undefined, lastSeenAtMs: -Infinity, member: undefined };
      this.entries.set(uuid, entry);
      if (migInstanceOf(uuid) !== undefined) this.instances += 1;
    }
    return entry;
  }

  private replaceMembers(changed: ReadonlySet<MemberEntry>): FleetMember[] {
    const members: FleetMember[] = [];
    for (const entry of changed) {
      const { state, record, lastSeenAtMs } = entry;
      if (state === undefined) continue; // the GPU's attributes have not arrived yet
      const gpu = toStoredGpu(state, Math.max(lastSeenAtMs, record?.timeMs ?? state.asOfMs));
      const member = { gpu, record: record === undefined ? undefined : toStoredRecord(gpu, record) };
      if (entry.member === undefined || byPlace(entry.member.gpu, gpu) !== 0) this.order = undefined;
      entry.member = member;
      members.push(member);
    }
    if (members.length > 0) this.orderedMembers = undefined;
    return members;
  }
}

function toStoredGpu({ gpu, firstSeenAtMs }: GpuState, lastSeenAtMs: number): StoredGpu {
  const { uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties } = gpu;
  const place = { uuid, clusterId, hostname, gpuId };
  return { ...place, device, modelName, driverVersion, properties, firstSeenAtMs, lastSeenAtMs };
}

function toStoredRecord(gpu: StoredGpu, { timeMs, metrics, custom, occupants }: NewestRecord): StoredRecord {
  return { gpu, timeMs, metrics, custom, occupants };
}

const nothingOpen: GpuState["openSinceMs"] = new Map();

function stateOf({ firstSeenAtMs, lastSeenAtMs, ...gpu }: StoredGpu): GpuState {
  return { gpu, firstSeenAtMs, asOfMs: lastSeenAtMs, openSinceMs: nothingOpen };
}

function newestOf({ gpu, timeMs, metrics, custom, occupants }: StoredRecord): NewestRecord {
  return { uuid: gpu.uuid, hostname: gpu.hostname, timeMs, metrics, custom, occupants };
}
