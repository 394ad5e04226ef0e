import { type Gpu, isSameAttributes } from "../../domain/gpu.ts";
import { compareVersions, versionOf } from "./contested-version.ts";
import type { GpuState } from "./hot-tier.ts";
import { sortedByKey } from "./sorted-by-key.ts";

// Merging is idempotent, commutative and associative: processes that receive the same states in different orders, or twice, end up
// with the same result. Records in the order of time give this result, too: each field has its newest value, and keeps
// the instant of this value while newer records leave the field open.

const textFields = ["device", "modelName", "driverVersion"] as const;
const propertyPrefix = "properties.";

/** A field's newest value, and the instant of the newest record that has it. */
interface FieldValue {
  readonly text: string;
  readonly asOfMs: number;
}

/** Which of two states of one instant wins: the greater value, field by field; or one of the states as a whole, because the other
 *  one may be older than it says. */
export type TieRule = "greatest" | "existing" | "incoming";

/** Merges two states of one GPU. The place is that of the newer state; of two hosts at one instant, the one with the smaller name
 *  (see domain/building/two-hosts.ts). Each other field has its newest value; of two texts of one instant, the greater one.
 *  A later version of the state of a contested GPU replaces the other state.
 *  @returns `existing` itself if `incoming` adds nothing */
export function mergeStates(
  existing: GpuState | undefined,
  incoming: GpuState,
  winsTie: TieRule = "greatest",
): GpuState {
  // properties are sorted only when attributes change, because most incoming states change nothing
  if (existing === undefined) return withSortedProperties(incoming);
  const later = compareVersions(incoming, existing);
  if (later !== 0) return later > 0 ? withSortedProperties(incoming) : existing;
  const firstSeenAtMs = Math.min(existing.firstSeenAtMs, incoming.firstSeenAtMs);
  const asOfMs = Math.max(existing.asOfMs, incoming.asOfMs);
  if (existing.openSinceMs.size + incoming.openSinceMs.size === 0 && isSameAttributes(existing.gpu, incoming.gpu)) {
    if (firstSeenAtMs === existing.firstSeenAtMs && asOfMs === existing.asOfMs) return existing;
    return { ...existing, asOfMs, firstSeenAtMs };
  }
  const attributes = mergeAttributes(existing, incoming, winsTie);
  const isSame =
    sameGpu(attributes.gpu, existing.gpu) &&
    firstSeenAtMs === existing.firstSeenAtMs &&
    asOfMs === existing.asOfMs &&
    sameInstants(attributes.openSinceMs, existing.openSinceMs);
  return isSame ? existing : { ...attributes, asOfMs, firstSeenAtMs, ...versionOf(existing) };
}

function withSortedProperties(state: GpuState): GpuState {
  return { ...state, gpu: { ...state.gpu, properties: sortedByKey(state.gpu.properties) } };
}

/** True if the states have the same UUID and attributes. */
export function sameGpu(a: Gpu, b: Gpu): boolean {
  return a.uuid === b.uuid && isSameAttributes(a, b);
}

function mergeAttributes(
  existing: GpuState,
  incoming: GpuState,
  winsTie: TieRule,
): Pick<GpuState, "gpu" | "openSinceMs"> {
  const isTie = existing.asOfMs === incoming.asOfMs;
  const isIncomingPlace = isTie
    ? winsTie === "incoming" || (winsTie === "greatest" && comparePlaces(incoming.gpu, existing.gpu) < 0)
    : incoming.asOfMs > existing.asOfMs;
  const [newer, older] = isIncomingPlace ? [incoming, existing] : [existing, incoming];
  const fields = new Map(fieldsOf(newer));
  // of two hosts at one instant, only the values of one are used
  const isOtherHost = isTie && newer.gpu.hostname !== older.gpu.hostname;
  for (const [name, value] of fieldsOf(older)) {
    if (isOtherHost && value.asOfMs === older.asOfMs) continue;
    const other = fields.get(name);
    if (other === undefined || isNewer(value, other, winsTie === "greatest" || !isTie)) fields.set(name, value);
  }
  const openSince = [...fields].flatMap(([name, { asOfMs }]) =>
    asOfMs === newer.asOfMs ? [] : [[name, asOfMs] as const],
  );
  return { gpu: gpuWith(newer.gpu, fields), openSinceMs: new Map(openSince) };
}

function isNewer(a: FieldValue, b: FieldValue, isTieByText: boolean): boolean {
  return a.asOfMs === b.asOfMs ? isTieByText && a.text > b.text : a.asOfMs > b.asOfMs;
}

/** Negative if the place of `a` wins over that of `b`. */
function comparePlaces(a: Gpu, b: Gpu): number {
  if (a.hostname !== b.hostname) return a.hostname < b.hostname ? -1 : 1;
  if (a.clusterId !== b.clusterId) return a.clusterId > b.clusterId ? -1 : 1;
  return b.gpuId - a.gpuId;
}

function fieldsOf({ gpu, asOfMs, openSinceMs }: GpuState): [string, FieldValue][] {
  const texts = textFields.flatMap((name): [string, string][] => (gpu[name] === "" ? [] : [[name, gpu[name]]]));
  const properties = Object.entries(gpu.properties).map(([name, text]) => [`${propertyPrefix}${name}`, text] as const);
  return [...texts, ...properties].map(([name, text]) => [name, { text, asOfMs: openSinceMs.get(name) ?? asOfMs }]);
}

function gpuWith(place: Gpu, fields: ReadonlyMap<string, FieldValue>): Gpu {
  const text = (name: string): string => fields.get(name)?.text ?? "";
  const properties = [...fields].flatMap(([name, value]) =>
    name.startsWith(propertyPrefix) ? [[name.slice(propertyPrefix.length), value.text] as const] : [],
  );
  const { uuid, clusterId, hostname, gpuId } = place;
  return {
    uuid,
    clusterId,
    hostname,
    gpuId,
    device: text("device"),
    modelName: text("modelName"),
    driverVersion: text("driverVersion"),
    properties: sortedByKey(Object.fromEntries(properties)),
  };
}

function sameInstants(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size === b.size && [...a].every(([name, ms]) => b.get(name) === ms);
}
