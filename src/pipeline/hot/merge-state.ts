import { addsNothing, completed, type Gpu, isSameAttributes, isSameWorkload, type Workload } from "../../domain/gpu.ts";
import { metrics } from "../../domain/metrics.ts";
import type { GpuState, NewestRecord } from "./hot-tier.ts";

// Except for two states of one instant (see `winsTie`), merging two states or two records gives the same result in either
// order, and merging one of the two again changes nothing.

/** Merges two states of one GPU. The newer state's attributes win; its empty attributes are filled from the older state.
 *  @param winsTie the state whose attributes win if both have the same instant; `incoming` is
 *    safe for etcd's documents, because all processes receive them in the same order
 *  @returns `existing` itself if `incoming` adds nothing */
export function mergeStates(
  existing: GpuState | undefined,
  incoming: GpuState,
  winsTie: "existing" | "incoming" = "incoming",
): GpuState {
  // properties are sorted only when attributes change, because most incoming states change nothing
  if (existing === undefined)
    return { ...incoming, gpu: { ...incoming.gpu, properties: sortedByKey(incoming.gpu.properties) } };
  const firstSeenAtMs = Math.min(existing.firstSeenAtMs, incoming.firstSeenAtMs);
  const asOfMs = Math.max(existing.asOfMs, incoming.asOfMs);
  const isIncomingNewer =
    incoming.asOfMs === existing.asOfMs ? winsTie === "incoming" : incoming.asOfMs > existing.asOfMs;
  const gpu = mergeGpus(existing.gpu, incoming.gpu, isIncomingNewer);
  if (gpu === existing.gpu && firstSeenAtMs === existing.firstSeenAtMs && asOfMs === existing.asOfMs) return existing;
  return { gpu, asOfMs, firstSeenAtMs };
}

/** @returns `existing` itself if it does not change */
function mergeGpus(existing: Gpu, incoming: Gpu, isIncomingNewer: boolean): Gpu {
  if (addsNothing(existing, incoming)) return existing;
  const merged = isIncomingNewer ? fillNewer(incoming, existing) : fillNewer(existing, incoming);
  return sameGpu(merged, existing) ? existing : merged;
}

function fillNewer(newer: Gpu, older: Gpu): Gpu {
  const merged = completed(newer, older);
  return { ...merged, properties: sortedByKey(merged.properties) };
}

/** True if both have the same UUID and attributes. */
export function sameGpu(a: Gpu, b: Gpu): boolean {
  return a.uuid === b.uuid && isSameAttributes(a, b);
}

/** Merges two records of one GPU: the newer one wins. Two records of the same instant are combined: the greater of two values
 *  of a metric wins, and the greater of two texts of a workload.
 *  @returns `existing` itself if `incoming` adds nothing */
export function mergeRecords(existing: NewestRecord, incoming: NewestRecord): NewestRecord {
  if (incoming.timeMs !== existing.timeMs) return incoming.timeMs > existing.timeMs ? incoming : existing;
  const isIn = (values: Readonly<Record<string, number>>, into: Readonly<Record<string, number>>): boolean =>
    Object.entries(values).every(([name, value]) => (into[name] ?? -Infinity) >= value);
  const workload = mergeWorkloads(existing.workload, incoming.workload);
  if (
    workload === existing.workload &&
    isIn(incoming.metrics, existing.metrics) &&
    isIn(incoming.custom, existing.custom)
  )
    return existing;
  return {
    uuid: existing.uuid,
    timeMs: existing.timeMs,
    metrics: inCatalogueOrder(greater(existing.metrics, incoming.metrics)),
    custom: sortedByKey(greater(existing.custom, incoming.custom)),
    workload,
  };
}

function mergeWorkloads(existing: Workload, incoming: Workload): Workload {
  if (isSameWorkload(incoming, existing)) return existing;
  const text = (name: keyof Workload): string => (incoming[name] > existing[name] ? incoming[name] : existing[name]);
  const merged = { container: text("container"), pod: text("pod"), namespace: text("namespace") };
  return isSameWorkload(merged, existing) ? existing : merged;
}

function greater(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const merged: Record<string, number> = { ...a };
  for (const [name, value] of Object.entries(b)) merged[name] = Math.max(merged[name] ?? -Infinity, value);
  return merged;
}

function inCatalogueOrder(values: Readonly<Record<string, number>>): Record<string, number> {
  const ordered: Record<string, number> = {};
  for (const { name } of metrics) {
    const value = values[name];
    if (value !== undefined) ordered[name] = value;
  }
  return ordered;
}

/** Orders an object's keys as PostgreSQL orders those of a jsonb: by length, then by bytes. So a record reads the same
 *  whether it came through etcd or from the store. */
export function sortedByKey<Value>(object: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> {
  const names = Object.keys(object);
  if (names.length < 2) return object;
  if (names.every(isPlain)) {
    return Object.fromEntries(names.sort(byLength).map((name) => [name, object[name] as Value]));
  }
  const keyed = names.map((name) => ({ name, bytes: Buffer.from(name) }));
  keyed.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes));
  return Object.fromEntries(keyed.map(({ name }) => [name, object[name] as Value]));
}

/** True for printable ASCII, whose order by characters is its order by bytes. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function byLength(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}
