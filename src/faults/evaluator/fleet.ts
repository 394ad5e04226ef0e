import type { StoredRecord } from "../../domain/query.ts";
import { hostPart, type PartName, type SavedPart, timePart } from "./saved-part.ts";
import type { ClusterState, DeviceState, EvaluatorState, HostState, TimeState } from "./state.ts";

interface HostEntry {
  readonly host: HostState;
  readonly devices: DeviceState[];
}

/** The states of devices, hosts and clusters, by uuid and by place. */
export class Fleet {
  readonly time: TimeState;
  private readonly byUuid = new Map<string, DeviceState>();
  private readonly byPlace = new Map<string, HostEntry>();
  private readonly byClusterId = new Map<string, ClusterState>();

  constructor(state?: EvaluatorState) {
    const copy = state === undefined ? undefined : structuredClone(state);
    this.time = copy?.time ?? { nowMs: 0, tickingSinceMs: 0, spans: [] };
    for (const cluster of copy?.clusters ?? []) this.byClusterId.set(cluster.clusterId, cluster);
    for (const host of copy?.hosts ?? []) this.byPlace.set(placeOf(host), { host, devices: [] });
    for (const device of copy?.devices ?? []) {
      this.byUuid.set(device.uuid, device);
      this.entryOf(device).devices.push(device);
    }
  }

  /** @returns a plain JSON value that does not change any more */
  save(): EvaluatorState {
    const hosts = Array.from(this.byPlace.values(), ({ host }) => host);
    const [devices, clusters] = [[...this.byUuid.values()], [...this.byClusterId.values()]];
    return structuredClone({ devices, hosts, clusters, time: this.time });
  }

  /** The names of the parts of `save`. */
  *parts(): Iterable<PartName> {
    for (const place of this.byUuid.keys()) yield { kind: "device", place };
    for (const { host } of this.byPlace.values()) yield hostPart(host);
    for (const place of this.byClusterId.keys()) yield { kind: "cluster", place };
    yield timePart;
  }

  /** A part of `save`, as it is now: `stateOfParts` joins parts, which may have been saved at different times. */
  savePart({ kind, place }: PartName): SavedPart {
    const part = this.part({ kind, place });
    return { kind, place, state: part === undefined ? null : JSON.stringify(part) };
  }

  /** The oldest of the devices' newest instants that are not before `fromMs`, or the first instant of the devices that were not saved, if
   *  that is older; undefined if there are none. */
  oldestSince(fromMs: number): number | undefined {
    let oldestMs = this.time.unsavedSinceMs;
    for (const { lastMs } of this.byUuid.values()) {
      if (lastMs >= fromMs && lastMs < (oldestMs ?? Infinity)) oldestMs = lastMs;
    }
    return oldestMs;
  }

  /** No silence begins for a while: records arrive again, host by host, or were read late. */
  beginGrace(ms: number): void {
    for (const cluster of this.byClusterId.values()) cluster.graceUntilMs = this.time.nowMs + ms;
  }

  private part({ kind, place }: PartName): DeviceState | HostState | ClusterState | TimeState | undefined {
    if (kind === "device") return this.byUuid.get(place);
    if (kind === "cluster") return this.byClusterId.get(place);
    if (kind === "time") return { ...this.time, spans: [] }; // they are read from the store
    const [clusterId = "", hostname = ""] = JSON.parse(place) as string[];
    return this.byPlace.get(placeOf({ clusterId, hostname }))?.host;
  }

  device(uuid: string): DeviceState | undefined {
    return this.byUuid.get(uuid);
  }

  devices(): Iterable<DeviceState> {
    return this.byUuid.values();
  }

  hosts(): Iterable<HostEntry> {
    return this.byPlace.values();
  }

  clusters(): Iterable<ClusterState> {
    return this.byClusterId.values();
  }

  hostOf(device: DeviceState): HostState {
    return this.entryOf(device).host;
  }

  clusterOf({ clusterId }: Pick<HostState, "clusterId">): ClusterState {
    const existing = this.byClusterId.get(clusterId);
    if (existing !== undefined) return existing;
    const cluster: ClusterState = { clusterId, faults: [], newestMs: 0, arrivedMs: 0, graceUntilMs: 0 };
    this.byClusterId.set(clusterId, cluster);
    return cluster;
  }

  /** The device of a record, which is new if no record of it has been seen. Its place is not changed. */
  deviceOf({ gpu, timeMs, occupants }: StoredRecord): DeviceState {
    const existing = this.byUuid.get(gpu.uuid);
    if (existing !== undefined) return existing;
    const { uuid, clusterId, hostname, gpuId, modelName, driverVersion } = gpu;
    const device: DeviceState = {
      ...{ uuid, clusterId, hostname, gpuId, modelName, driverVersion, occupants, formerOccupants: occupants },
      ...{ job: "", jobSinceMs: timeMs, formerJob: "" },
      ...{
        faults: [],
        firstMs: timeMs,
        lastMs: timeMs,
        arrivedMs: 0,
        excusedMs: 0,
        isLive: false,
        isSuppressed: false,
      },
      ...{ intervalMs: 0, recentIntervalsMs: [], counters: {}, windows: {}, compared: {}, fastValues: null },
      ...{ xidGauge: null, xidCounts: {}, xids: [], remedied: [], jobXids: [] },
    };
    this.byUuid.set(uuid, device);
    this.entryOf(device).devices.push(device);
    return device;
  }

  /** Moves a device to the place where its newest record is from. */
  place(device: DeviceState, { gpu }: StoredRecord): void {
    device.gpuId = gpu.gpuId;
    device.modelName = gpu.modelName;
    device.driverVersion = gpu.driverVersion;
    if (device.hostname === gpu.hostname && device.clusterId === gpu.clusterId) return;
    this.leave(device);
    device.clusterId = gpu.clusterId;
    device.hostname = gpu.hostname;
    this.entryOf(device).devices.push(device);
  }

  forget(device: DeviceState): void {
    this.byUuid.delete(device.uuid);
    this.leave(device);
  }

  /** Deletes a host without devices. */
  forgetHost(host: HostState): void {
    this.byPlace.delete(placeOf(host));
  }

  /** Deletes a cluster without hosts. */
  forgetCluster({ clusterId }: ClusterState): void {
    this.byClusterId.delete(clusterId);
  }

  private leave(device: DeviceState): void {
    const { devices } = this.entryOf(device);
    devices.splice(devices.indexOf(device), 1);
  }

  private entryOf({ clusterId, hostname }: Pick<DeviceState, "clusterId" | "hostname">): HostEntry {
    const key = placeOf({ clusterId, hostname });
    const existing = this.byPlace.get(key);
    if (existing !== undefined) return existing;
    const host: HostState = { clusterId, hostname, faults: [], isSuppressed: false, remediatedMs: [] };
    const entry = { host, devices: [] };
    this.byPlace.set(key, entry);
    return entry;
  }
}

const placeOf = ({ clusterId, hostname }: Pick<HostState, "clusterId" | "hostname">): string =>
  `${clusterId}\n${hostname}`;
