import { byPlace } from "../../domain/gpu.ts";
import type { StoredGpu, StoredRecord } from "../../domain/query.ts";
import type { FleetMember } from "./fleet.ts";
import type { GpuState, HotChanges, NewestRecord } from "../../pipeline/hot/hot-tier.ts";
import { mergeRecords, mergeStates } from "../../pipeline/hot/merge-state.ts";

/** What is known of a GPU: from one source or both, in any order. */
interface Known {
  state: GpuState | undefined;
  record: NewestRecord | undefined;
  /** As the store knows it; the newest record may be gone from there. */
  lastSeenAtMs: number;
  member: FleetMember | undefined;
}

/** Joins news of GPUs into members of the fleet, and keeps them in their order. */
export class FleetMembers {
  private readonly known = new Map<string, Known>();
  /** Undefined where a member has come or moved since it was made. */
  private order: string[] | undefined;
  private ordered: readonly FleetMember[] | undefined;

  /** @returns the members that are new or replaced */
  join(changes: HotChanges): FleetMember[] {
    return this.joinAll(changes, "said");
  }

  private joinAll({ gpus, records }: HotChanges, heldAtTie: "known" | "said"): FleetMember[] {
    const touched = new Set<Known>();
    for (const said of gpus) {
      const known = this.at(said.gpu.uuid);
      const state = mergeStates(known.state, said, heldAtTie);
      if (state !== known.state) touched.add(known);
      known.state = state;
    }
    for (const said of records) {
      const known = this.at(said.uuid);
      const record = known.record === undefined ? said : mergeRecords(known.record, said);
      if (record !== known.record) touched.add(known);
      known.record = record;
    }
    return this.renewed(touched);
  }

  /** Joins what the store has; as of the same instant the hot tier's word holds, which may be later. @returns the members that are new or replaced */
  joinStored(gpus: readonly StoredGpu[], latest: readonly StoredRecord[]): FleetMember[] {
    const touched = new Set<Known>();
    for (const { uuid, lastSeenAtMs } of gpus) {
      const known = this.at(uuid);
      if (lastSeenAtMs > known.lastSeenAtMs) touched.add(known);
      known.lastSeenAtMs = Math.max(known.lastSeenAtMs, lastSeenAtMs);
    }
    const seen = this.joinAll({ gpus: gpus.map(stateOf), records: latest.map(newestOf) }, "known");
    return [...new Set([...this.renewed(touched), ...seen])];
  }

  get size(): number {
    return this.known.size;
  }

  get(uuid: string): FleetMember | undefined {
    return this.known.get(uuid)?.member;
  }

  /** Ordered by hostname, then gpuId, then uuid. */
  all(): readonly FleetMember[] {
    if (this.ordered !== undefined) return this.ordered;
    this.order ??= [...this.known.values()]
      .flatMap(({ member }) => (member === undefined ? [] : [member.gpu]))
      .sort(byPlace)
      .map(({ uuid }) => uuid);
    this.ordered = this.order.map((uuid) => this.known.get(uuid)?.member as FleetMember);
    return this.ordered;
  }

  private at(uuid: string): Known {
    let known = this.known.get(uuid);
    if (known === undefined) {
      known = { state: undefined, record: undefined, lastSeenAtMs: -Infinity, member: undefined };
      this.known.set(uuid, known);
    }
    return known;
  }

  private renewed(touched: ReadonlySet<Known>): FleetMember[] {
    const members: FleetMember[] = [];
    for (const known of touched) {
      const { state, record, lastSeenAtMs } = known;
      if (state === undefined) continue; // its attributes are on their way
      const gpu = toStoredGpu(state, Math.max(lastSeenAtMs, record?.timeMs ?? state.asOfMs));
      const member = { gpu, record: record === undefined ? undefined : toStoredRecord(gpu, record) };
      if (known.member === undefined || byPlace(known.member.gpu, gpu) !== 0) this.order = undefined;
      known.member = member;
      members.push(member);
    }
    if (members.length > 0) this.ordered = undefined;
    return members;
  }
}

function toStoredGpu({ gpu, firstSeenAtMs }: GpuState, lastSeenAtMs: number): StoredGpu {
  const { uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties } = gpu;
  const place = { uuid, clusterId, hostname, gpuId };
  return { ...place, device, modelName, driverVersion, properties, firstSeenAtMs, lastSeenAtMs };
}

function toStoredRecord(gpu: StoredGpu, { timeMs, metrics, custom, workload }: NewestRecord): StoredRecord {
  const { container, pod, namespace } = workload;
  return { gpu, timeMs, metrics, custom, container, pod, namespace };
}

function stateOf({ firstSeenAtMs, lastSeenAtMs, ...gpu }: StoredGpu): GpuState {
  return { gpu, firstSeenAtMs, asOfMs: lastSeenAtMs };
}

function newestOf({ gpu, timeMs, metrics, custom, container, pod, namespace }: StoredRecord): NewestRecord {
  return { uuid: gpu.uuid, timeMs, metrics, custom, workload: { container, pod, namespace } };
}
