import { byPlace } from "../../domain/gpu.ts";
import { type InventoryState, inventoryStates } from "../../domain/inventory.ts";
import type { StoredGpu } from "../../domain/query.ts";
import { versionOf } from "../../pipeline/hot/contested-version.ts";
import type { GpuState, NewestRecord } from "../../pipeline/hot/hot-tier.ts";
import { mergeStates, sameGpu } from "../../pipeline/hot/merge-state.ts";
import type { FleetGpu } from "../schemas/gpu.ts";
import type { FleetMember } from "./fleet.ts";

/** The data that the store and the hot tier have delivered about one GPU or MIG instance. */
export interface MemberEntry {
  readonly uuid: string;
  state: GpuState | undefined;
  record: NewestRecord | undefined;
  /** The newest instant of the GPU's records, also of records that only describe the GPU, or that the store has deleted since;
   *  -Infinity until anything has arrived. */
  lastSeenAtMs: number;
  /** As `FleetGpu` has it. */
  reportedAtMs: number;
  /** Undefined until the inventory has been read. */
  inventoryState: InventoryState | undefined;
  member: FleetMember | undefined;
  /** The entry of the GPU that the MIG instance is a part of. */
  readonly parent: MemberEntry | undefined;
  /** Ordered by uuid, so that what they tell about the GPU does not depend on the order in which they arrived. */
  readonly instances: MemberEntry[];
}

/** Adds a MIG instance to the entry of its GPU. */
export function addInstance({ instances }: MemberEntry, instance: MemberEntry): void {
  instances.push(instance);
  instances.sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
}

/** The GPU as the entry and its MIG instances tell it. An exporter may report a GPU through its MIG instances alone: the GPU then
 *  has the attributes and the place of the instance that was seen last, and its own as soon as it reports itself. It is seen
 *  whenever it or an instance is.
 *  @returns undefined until attributes of the GPU or of an instance have arrived */
export function gpuOf(entry: MemberEntry): FleetGpu | undefined {
  const { state, inventoryState, instances } = entry;
  const own = state === undefined ? undefined : toFleetGpu(state, entry, inventoryState);
  return instances.length === 0 ? own : toldByInstances(entry, own);
}

function toldByInstances({ uuid, state: ownState, instances: entries }: MemberEntry, own: FleetGpu | undefined) {
  const instances = entries.flatMap((instance) => gpuOf(instance) ?? []);
  if (instances.length === 0) return own;
  const firstSeenAtMs = Math.min(...instances.map((gpu) => gpu.firstSeenAtMs), own?.firstSeenAtMs ?? Infinity);
  const told = instances.map((gpu) => stateOf({ ...gpu, uuid })).reduce((a, b) => mergeStates(a, b));
  const seen = { ...withPlaceOf(told, ownState), firstSeenAtMs };
  const lastSeenAtMs = Math.max(told.asOfMs, own?.lastSeenAtMs ?? -Infinity);
  const reportedAtMs = Math.max(reportedBy(instances), own?.reportedAtMs ?? -Infinity);
  const state = own === undefined ? stateOfInstances(instances) : own.state;
  return toFleetGpu(seen, { lastSeenAtMs, reportedAtMs }, state);
}

/** A GPU of which nothing is known but its MIG instances.
 *  @param instances at least one */
export function toldBy(uuid: string, instances: readonly FleetGpu[]): FleetGpu {
  const told = instances.map((gpu) => stateOf({ ...gpu, uuid })).reduce((a, b) => mergeStates(a, b));
  const firstSeenAtMs = Math.min(...instances.map((gpu) => gpu.firstSeenAtMs));
  const seen = { lastSeenAtMs: told.asOfMs, reportedAtMs: reportedBy(instances) };
  return toFleetGpu({ ...told, firstSeenAtMs }, seen, stateOfInstances(instances));
}

/** Until when a GPU has reported by its instances. */
export function reportedBy(instances: readonly FleetGpu[]): number {
  return instances.reduce((latest, { reportedAtMs }) => Math.max(latest, reportedAtMs), -Infinity);
}

/** The state of a GPU that only its instances report, which the inventory does not list: it is active if one of them is, and
 *  decommissioned if all are. */
function stateOfInstances(instances: readonly FleetGpu[]): InventoryState | undefined {
  return inventoryStates.find((state) => instances.some((instance) => instance.state === state));
}

/** The GPU's own state, unless a MIG instance has been seen later in another place: the board has then been moved. */
function withPlaceOf(told: GpuState, own: GpuState | undefined): GpuState {
  if (own === undefined) return told;
  const isMoved = told.asOfMs > own.asOfMs && byPlace(told.gpu, own.gpu) !== 0;
  return isMoved ? mergeStates(own, { ...told, ...versionOf(own) }) : own;
}

/** True if both say the same about one GPU. */
export function isSameGpu(a: FleetGpu, b: FleetGpu): boolean {
  const isSeenAlike = a.firstSeenAtMs === b.firstSeenAtMs && a.lastSeenAtMs === b.lastSeenAtMs;
  return isSeenAlike && a.reportedAtMs === b.reportedAtMs && a.state === b.state && sameGpu(a, b);
}

function toFleetGpu(
  { gpu, firstSeenAtMs }: GpuState,
  { lastSeenAtMs, reportedAtMs }: Pick<FleetGpu, "lastSeenAtMs" | "reportedAtMs">,
  state: InventoryState | undefined,
): FleetGpu {
  const { uuid, clusterId, hostname, gpuId, device, modelName, driverVersion, properties } = gpu;
  const place = { uuid, clusterId, hostname, gpuId };
  const seen = { firstSeenAtMs, lastSeenAtMs, reportedAtMs };
  return { ...place, device, modelName, driverVersion, properties, ...seen, state };
}

const nothingOpen: GpuState["openSinceMs"] = new Map();

/** The state of a GPU of the store. */
export function stateOf({ firstSeenAtMs, lastSeenAtMs, contestedVersion, ...gpu }: StoredGpu): GpuState {
  const version = contestedVersion === undefined ? {} : { contestedVersion };
  return { gpu, firstSeenAtMs, asOfMs: lastSeenAtMs, openSinceMs: nothingOpen, ...version };
}
