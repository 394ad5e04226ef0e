import { isDeepStrictEqual } from "node:util";
import { StoreUnavailable } from "../../domain/errors.ts";
import { byPlace, type Gpu } from "../../domain/gpu.ts";
import { type GpuBounds, isPlaceWithin } from "../../domain/gpu-bounds.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import { migInstanceOf } from "../../domain/mig-instance.ts";
import type { StoredRecord } from "../../domain/query.ts";
import { attributesWithin, recordWithin } from "../../domain/within-bounds.ts";
import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import type { FleetQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { FleetGpu } from "../schemas/gpu.ts";
import type { Fleet, FleetMember } from "./fleet.ts";
import { reportedBy, toldBy } from "./member-entry.ts";
import { selectedMembers } from "./selected-members.ts";

export interface BoundedFleetOptions {
  readonly fleet: Fleet;
  readonly within: GpuBounds;
  readonly firstSeen: FleetQueries["firstSeen"];
  readonly clock: Clock;
}

/** So long after a read, the store is read again when the fleet is used: older records may have been imported. */
const rereadMs = 10_000;
/** So long after a read, it is read again for a GPU that it did not have. */
const retryMs = 1000;

/** Members of a version of the fleet. */
interface OwnMembers {
  readonly version: number;
  readonly all: readonly FleetMember[];
  readonly byUuid: ReadonlyMap<string, FleetMember>;
}

/** A member, and what it was made from. */
interface MadeMember {
  readonly source: FleetMember;
  readonly firstSeenAtMs: number;
  readonly member: FleetMember;
}

/** The part of the fleet that is within bounds now, as if there were nothing else: other workloads of shared GPUs are left out, and a GPU
 *  was first seen when it was first seen within, which the store knows. */
export class BoundedFleet implements Fleet {
  private firstSeen: ReadonlyMap<string, number> | undefined;
  private readAtMs = -Infinity;
  private reading: Promise<void> | undefined;
  private storeError: string | undefined;
  private reads = 0;
  private own: OwnMembers | undefined;
  private readonly made = new Map<string, MadeMember>();
  private readonly records = new WeakMap<StoredRecord, { readonly own: StoredRecord | undefined }>();

  constructor(private readonly options: BoundedFleetOptions) {}

  get version(): number {
    return this.options.fleet.version + this.reads;
  }

  get isLoaded(): boolean {
    return this.options.fleet.isLoaded && this.firstSeen !== undefined;
  }

  get hostStates(): Fleet["hostStates"] {
    return this.options.fleet.hostStates;
  }

  /** Resolves when the store was asked, if it has to be, when GPUs were first seen. Never rejects. */
  async ready(): Promise<void> {
    if (!this.options.fleet.isLoaded) return;
    const ageMs = this.ageMs();
    const isNew = ({ gpu }: FleetMember): boolean => this.firstSeen?.has(gpu.uuid) === false;
    if (this.firstSeen === undefined || (ageMs > retryMs && this.members().some(isNew))) await this.read();
    else if (ageMs > rereadMs) void this.read();
  }

  nowMs(): number {
    return this.options.fleet.nowMs();
  }

  checkComplete(): void {
    this.options.fleet.checkComplete();
  }

  members(selector: GpuSelector = {}): readonly FleetMember[] {
    const { all, byUuid } = this.current();
    return selectedMembers(selector, all, (uuid) => byUuid.get(uuid));
  }

  member(uuid: string): FleetMember | undefined {
    return this.current().byUuid.get(uuid);
  }

  gpus(selector: GpuSelector): FleetGpu[] {
    return this.members(selector).map(({ gpu }) => gpu);
  }

  latest(selector: GpuSelector): StoredRecord[] {
    return this.members(selector).flatMap(({ record }) => (record === undefined ? [] : [record]));
  }

  private current(): OwnMembers {
    const { fleet } = this.options;
    const members = fleet.members(); // throws while the fleet is not loaded
    if (this.firstSeen === undefined) {
      const reason = this.storeError ?? "the store has not answered yet";
      throw new StoreUnavailable(`when the GPUs were first seen is not known: ${reason}`);
    }
    if (this.own?.version === this.version) return this.own;
    const { version } = this;
    // a subscription may use the fleet for long, without a new request
    if (this.ageMs() > rereadMs) void this.read();
    const devices = members.flatMap((member) => this.ownOf(member, this.firstSeen?.get(member.gpu.uuid)) ?? []);
    const all = withBoards(devices, fleet).toSorted((a, b) => byPlace(a.gpu, b.gpu));
    this.own = { version, all, byUuid: new Map(all.map((member) => [member.gpu.uuid, member])) };
    return this.own;
  }

  /** @returns the same member as before if nothing has changed */
  private ownOf(source: FleetMember, knownMs: number | undefined): FleetMember | undefined {
    const { within } = this.options;
    const { gpu } = source;
    const record = source.record && this.recordOf(source.record);
    const isOwn = isPlaceWithin(within, gpu) && (within.namespaces === undefined || record !== undefined);
    if (!isOwn) {
      this.made.delete(gpu.uuid);
      return undefined;
    }
    const made = this.made.get(gpu.uuid);
    // a GPU that has come since the store was read
    const firstSeenAtMs = knownMs ?? made?.firstSeenAtMs ?? record?.timeMs ?? gpu.lastSeenAtMs;
    if (made?.source === source && made.firstSeenAtMs === firstSeenAtMs) return made.member;
    // a later record without values may be of another workload
    const lastSeenAtMs = within.namespaces === undefined ? gpu.lastSeenAtMs : (record?.timeMs ?? gpu.lastSeenAtMs);
    const reportedAtMs = Math.min(gpu.reportedAtMs, lastSeenAtMs);
    const seen = { firstSeenAtMs, lastSeenAtMs, reportedAtMs };
    const member = { gpu: { ...attributesWithin(within, gpu), ...seen }, record };
    this.made.set(gpu.uuid, { source, firstSeenAtMs, member });
    return member;
  }

  private recordOf(record: StoredRecord): StoredRecord | undefined {
    const known = this.records.get(record);
    if (known !== undefined) return known.own;
    const within = recordWithin(this.options.within, record);
    const own = within && { ...within, gpu: attributesOnly(within.gpu) };
    this.records.set(record, { own });
    return own;
  }

  private ageMs(): number {
    return this.options.clock.nowMs() - this.readAtMs;
  }

  private read(): Promise<void> {
    return (this.reading ??= this.readOnce().finally(() => (this.reading = undefined)));
  }

  private async readOnce(): Promise<void> {
    const { within, clock } = this.options;
    try {
      const firstSeen = await this.options.firstSeen(within);
      this.storeError = undefined;
      if (isDeepStrictEqual(firstSeen, this.firstSeen)) return;
      this.firstSeen = firstSeen;
      this.reads += 1;
    } catch (error) {
      this.storeError = messageOf(error);
    } finally {
      this.readAtMs = clock.nowMs();
    }
  }
}

/** A record's GPU may be that of the fleet, with the instants at which anyone has seen it. */
function attributesOnly(gpu: Gpu): Gpu {
  const { uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties } = gpu;
  return { uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties };
}

/** Adds the GPUs that only their MIG instances tell of; the others were seen whenever one of these was. */
function withBoards(devices: readonly FleetMember[], fleet: Fleet): readonly FleetMember[] {
  const instances = devices.flatMap(({ gpu }) => {
    const parentUuid = migInstanceOf(gpu.uuid)?.parentUuid;
    return parentUuid === undefined ? [] : [{ parentUuid, gpu }];
  });
  if (instances.length === 0) return devices;
  const members = new Map(devices.map((member) => [member.gpu.uuid, member]));
  for (const [uuid, each] of Map.groupBy(instances, ({ parentUuid }) => parentUuid)) {
    const gpus = each.map(({ gpu }) => gpu);
    const board = members.get(uuid);
    if (board !== undefined) members.set(uuid, seenWith(board, gpus));
    else if (fleet.member(uuid) !== undefined) members.set(uuid, { gpu: toldBy(uuid, gpus), record: undefined });
  }
  return [...members.values()];
}

function seenWith({ gpu, record }: FleetMember, instances: readonly FleetGpu[]): FleetMember {
  const firstSeenAtMs = Math.min(gpu.firstSeenAtMs, ...instances.map((instance) => instance.firstSeenAtMs));
  const lastSeenAtMs = Math.max(gpu.lastSeenAtMs, ...instances.map((instance) => instance.lastSeenAtMs));
  const reportedAtMs = Math.max(gpu.reportedAtMs, reportedBy(instances));
  return { gpu: { ...gpu, firstSeenAtMs, lastSeenAtMs, reportedAtMs }, record };
}
