import { byPlace, type Gpu } from "../../domain/gpu.ts";
import { isMigInstance, migInstanceOf } from "../../domain/mig-instance.ts";
import { isFuture } from "../../domain/future-records.ts";
import type { StoredGpu, StoredRecord } from "../../domain/query.ts";
import { CaseTwins } from "./case-twins.ts";
import type { FleetMember, PresentStates } from "./fleet.ts";
import { addInstance, gpuOf, isSameGpu, type MemberEntry, stateOf } from "./member-entry.ts";
import type { HotChanges, NewestRecord } from "../../pipeline/hot/hot-tier.ts";
import { versionOf } from "../../pipeline/hot/contested-version.ts";
import { mergeArrived, mergeRecords } from "../../pipeline/hot/merge-records.ts";
import { mergeStates, type TieRule } from "../../pipeline/hot/merge-state.ts";

/** Merges changes of GPUs into members of the fleet, and keeps the members in order. */
export class FleetMembers {
  private readonly entries = new Map<string, MemberEntry>();
  private readonly hosts = new Set<string>();
  private readonly twins = {
    uuids: new CaseTwins("the uuids", (uuid) => this.entries.has(uuid)),
    hosts: new CaseTwins("the hosts", (host) => this.hosts.has(host)),
  };
  private instances = 0;
  /** The UUIDs in the order of `all`; undefined if a GPU was added or changed its place since the last sort. */
  private order: string[] | undefined;
  private orderedMembers: readonly FleetMember[] | undefined;
  private states: PresentStates["devices"] | undefined;
  private places = 0;

  /** @param nowMs the present, milliseconds since the epoch. Absent: no record counts as one of the future */
  constructor(private readonly nowMs: () => number = () => Infinity) {}

  /** Merges changes that arrive.
   *  @returns the members that are new or replaced */
  merge({ gpus, records }: HotChanges): FleetMember[] {
    const nowMs = this.nowMs();
    const changed = this.mergeStates(gpus, "greatest");
    for (const incoming of records) {
      const entry = this.entryOf(incoming.uuid);
      const record = entry.record === undefined ? incoming : mergeArrived(entry.record, incoming, nowMs);
      if (noteSeen(entry, incoming.timeMs, Math.min(incoming.timeMs, nowMs)) || record !== entry.record)
        changed.add(entry);
      entry.record = record;
    }
    return this.replaceMembers(changed);
  }

  private mergeStates(gpus: HotChanges["gpus"], winsTie: TieRule): Set<MemberEntry> {
    const changed = new Set<MemberEntry>();
    for (const incoming of gpus) {
      const entry = this.entryOf(incoming.gpu.uuid);
      const state = mergeStates(entry.state, incoming, winsTie);
      if (noteSeen(entry, incoming.asOfMs, this.reportedBy(entry, incoming.asOfMs)) || state !== entry.state)
        changed.add(entry);
      entry.state = state;
    }
    return changed;
  }

  /** Until when a GPU has reported by a record that may have arrived long ago; -Infinity if that is not known. A record that is newer than
   *  the ones before has arrived since then. */
  private reportedBy({ lastSeenAtMs }: MemberEntry, timeMs: number): number {
    const nowMs = this.nowMs();
    const isNew = lastSeenAtMs !== -Infinity && timeMs > lastSeenAtMs;
    return isNew || !isFuture(timeMs, nowMs) ? Math.min(timeMs, nowMs) : -Infinity;
  }

  /** Merges the store's GPUs and records. Existing attributes win over the store's attributes of the same instant, because
   *  the hot tier may have delivered them after the store was read.
   *  @returns the members that are new or replaced */
  mergeStored(gpus: readonly StoredGpu[], latest: readonly StoredRecord[]): FleetMember[] {
    const storedGpus = new Map(gpus.map((gpu) => [gpu.uuid, gpu]));
    const records = latest.map((record) => newestOf(record, storedGpus.get(record.gpu.uuid)));
    const changed = this.mergeStates(gpus.map(stateOf), "existing");
    for (const incoming of records) {
      const entry = this.entryOf(incoming.uuid);
      const record = entry.record === undefined ? incoming : mergeRecords(entry.record, incoming);
      if (noteSeen(entry, incoming.timeMs, this.reportedBy(entry, incoming.timeMs)) || record !== entry.record)
        changed.add(entry);
      entry.record = record;
    }
    return this.replaceMembers(changed);
  }

  /** How many uuids and hosts differ from others only by upper and lower case. */
  get twinCount(): number {
    return this.twins.uuids.count + this.twins.hosts.count;
  }

  /** A sentence for each of them that was found since the last call. */
  takeTwins(): readonly string[] {
    return [...this.twins.uuids.take(), ...this.twins.hosts.take()];
  }

  /** Changes the states of GPUs and MIG instances. @returns the members that are replaced */
  setStates(states: PresentStates["devices"]): FleetMember[] {
    this.states = states;
    const changed = new Set<MemberEntry>();
    for (const entry of this.entries.values()) {
      const state = states.get(entry.uuid) ?? "active";
      if (state !== entry.inventoryState) changed.add(entry);
      entry.inventoryState = state;
    }
    return this.replaceMembers(changed);
  }

  /** A different number after a GPU was added or changed its place. */
  get placesVersion(): number {
    return this.places;
  }

  /** The number of GPUs and MIG instances. Includes those whose attributes have not arrived yet, and GPUs that only their instances
   *  report. */
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
    const existing = this.entries.get(uuid);
    if (existing !== undefined) return existing;
    const instance = migInstanceOf(uuid);
    const parent = instance === undefined ? undefined : this.entryOf(instance.parentUuid);
    const empty = { state: undefined, record: undefined, member: undefined };
    const seen = { lastSeenAtMs: -Infinity, reportedAtMs: -Infinity };
    const inventoryState = this.states && (this.states.get(uuid) ?? "active");
    const entry: MemberEntry = { uuid, ...empty, ...seen, inventoryState, parent, instances: [] };
    this.entries.set(uuid, entry);
    if (parent !== undefined) addInstance(parent, entry);
    if (isMigInstance(uuid)) this.instances += 1;
    // an instance has its GPU's uuid in its own
    if (parent === undefined) this.twins.uuids.add(uuid);
    return entry;
  }

  private addHost(host: string): void {
    if (this.hosts.has(host)) return;
    this.hosts.add(host);
    this.twins.hosts.add(host);
  }

  private replaceMembers(changed: ReadonlySet<MemberEntry>): FleetMember[] {
    const members: FleetMember[] = [];
    for (const entry of withParents(changed)) {
      const gpu = gpuOf(entry);
      if (gpu === undefined) continue; // the GPU's attributes have not arrived yet
      if (!changed.has(entry) && entry.member !== undefined && isSameGpu(entry.member.gpu, gpu)) continue;
      const { record } = entry;
      const member = { gpu, record: record === undefined ? undefined : toStoredRecord(gpu, record) };
      if (entry.member === undefined || !isSamePlace(entry.member.gpu, gpu)) {
        this.order = undefined;
        this.places += 1;
        this.addHost(`${gpu.clusterId}/${gpu.hostname}`);
      }
      entry.member = member;
      members.push(member);
    }
    if (members.length > 0) this.orderedMembers = undefined;
    return members;
  }
}

function isSamePlace(a: Gpu, b: Gpu): boolean {
  return a.clusterId === b.clusterId && byPlace(a, b) === 0;
}

/** Notes that a GPU has a record of this instant, and has reported until another one.
 *  @returns true if one of them is its newest */
function noteSeen(entry: MemberEntry, atMs: number, reportedAtMs: number): boolean {
  if (atMs <= entry.lastSeenAtMs && reportedAtMs <= entry.reportedAtMs) return false;
  entry.lastSeenAtMs = Math.max(entry.lastSeenAtMs, atMs);
  entry.reportedAtMs = Math.max(entry.reportedAtMs, reportedAtMs);
  return true;
}

/** The entries, and the GPUs of those that are MIG instances. */
function withParents(entries: ReadonlySet<MemberEntry>): ReadonlySet<MemberEntry> {
  const all = new Set(entries);
  for (const { parent } of all) if (parent !== undefined) all.add(parent); // the loop visits added entries, too
  return all;
}

function toStoredRecord(gpu: StoredGpu, record: NewestRecord): StoredRecord {
  const { timeMs, metrics, custom, occupants } = record;
  return { gpu: gpuAtRecord(gpu, record), timeMs, metrics, custom, occupants };
}

/** The GPU as its newest record with values says, which is also what the history says. A later record without values may have
 *  moved the GPU. Texts that the record leaves open are those of the GPU now. */
function gpuAtRecord(gpu: StoredGpu, { reported }: NewestRecord): Gpu {
  const { clusterId, hostname, gpuId = gpu.gpuId } = reported;
  const device = reported.device || gpu.device;
  const modelName = reported.modelName || gpu.modelName;
  const isUnchanged =
    hostname === gpu.hostname &&
    gpuId === gpu.gpuId &&
    clusterId === gpu.clusterId &&
    device === gpu.device &&
    modelName === gpu.modelName;
  return isUnchanged ? gpu : { ...gpu, clusterId, hostname, gpuId, device, modelName };
}

/** @param storedGpu was read before the record */
function newestOf(record: StoredRecord, storedGpu: StoredGpu | undefined): NewestRecord {
  const { gpu, timeMs, metrics, custom, occupants } = record;
  return {
    ...{ uuid: gpu.uuid, reported: gpu, timeMs, metrics, custom, occupants },
    ...(storedGpu === undefined ? {} : versionOf(storedGpu)),
  };
}
