import { addsNothing, filledUp, type Gpu, isSameAttributes, isSameWorkload, type Workload } from "../../domain/gpu.ts";
import { metrics } from "../../domain/metrics.ts";
import type { GpuState, NewestRecord } from "./hot-tier.ts";

// Joining a newer and an older piece of knowledge gives the same whichever comes first, and joining one twice changes
// nothing: that is why processes that hear of the same things in different orders agree in the end.

/** Joins two states of one GPU: the newer one's attributes hold, what it leaves open is filled from the older one.
 *  @param known undefined where nothing is known
 *  @param heldAtTie of two that say different things as of the same instant; etcd puts the documents in one order for all,
 *    so the one that is said last may hold
 *  @returns `known` itself where `said` adds nothing */
export function mergeStates(
  known: GpuState | undefined,
  said: GpuState,
  heldAtTie: "known" | "said" = "said",
): GpuState {
  // sorted here and not where it is read: of most that is said nothing is new
  if (known === undefined) return { ...said, gpu: { ...said.gpu, properties: sortedByKey(said.gpu.properties) } };
  const firstSeenAtMs = Math.min(known.firstSeenAtMs, said.firstSeenAtMs);
  const asOfMs = Math.max(known.asOfMs, said.asOfMs);
  const isSaidNewer = said.asOfMs === known.asOfMs ? heldAtTie === "said" : said.asOfMs > known.asOfMs;
  const gpu = joinedGpu(known.gpu, said.gpu, isSaidNewer);
  if (gpu === known.gpu && firstSeenAtMs === known.firstSeenAtMs && asOfMs === known.asOfMs) return known;
  return { gpu, asOfMs, firstSeenAtMs };
}

/** @returns `known` itself where it stays the same */
function joinedGpu(known: Gpu, said: Gpu, isSaidNewer: boolean): Gpu {
  if (addsNothing(known, said)) return known;
  const joined = isSaidNewer ? joinGpus(said, known) : joinGpus(known, said);
  return sameGpu(joined, known) ? known : joined;
}

function joinGpus(newer: Gpu, older: Gpu): Gpu {
  const joined = filledUp(newer, older);
  return { ...joined, properties: sortedByKey(joined.properties) };
}

/** True where both say the same of a GPU. */
export function sameGpu(a: Gpu, b: Gpu): boolean {
  return a.uuid === b.uuid && isSameAttributes(a, b);
}

/** Joins two newest records of one GPU: the newer one holds, two of the same instant merge. Of two values for the same
 *  metric and instant the greater holds.
 *  @returns `known` itself where `said` adds nothing */
export function mergeRecords(known: NewestRecord, said: NewestRecord): NewestRecord {
  if (said.timeMs !== known.timeMs) return said.timeMs > known.timeMs ? said : known;
  const isIn = (values: Readonly<Record<string, number>>, into: Readonly<Record<string, number>>): boolean =>
    Object.entries(values).every(([name, value]) => (into[name] ?? -Infinity) >= value);
  const workload = joinWorkloads(known.workload, said.workload);
  if (workload === known.workload && isIn(said.metrics, known.metrics) && isIn(said.custom, known.custom)) return known;
  return {
    uuid: known.uuid,
    timeMs: known.timeMs,
    metrics: inCatalogueOrder(greater(known.metrics, said.metrics)),
    custom: sortedByKey(greater(known.custom, said.custom)),
    workload,
  };
}

function joinWorkloads(known: Workload, said: Workload): Workload {
  if (isSameWorkload(said, known)) return known;
  const text = (name: keyof Workload): string => (said[name] > known[name] ? said[name] : known[name]);
  const joined = { container: text("container"), pod: text("pod"), namespace: text("namespace") };
  return isSameWorkload(joined, known) ? known : joined;
}

function greater(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const joined: Record<string, number> = { ...a };
  for (const [name, value] of Object.entries(b)) joined[name] = Math.max(joined[name] ?? -Infinity, value);
  return joined;
}

function inCatalogueOrder(values: Readonly<Record<string, number>>): Record<string, number> {
  const ordered: Record<string, number> = {};
  for (const { name } of metrics) {
    const value = values[name];
    if (value !== undefined) ordered[name] = value;
  }
  return ordered;
}

/** An object's keys in the order in which PostgreSQL keeps those of a jsonb: the shorter first, then by their bytes. So
 *  what came through etcd reads as what came through the store. */
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

/** One byte a character: its order is that of its bytes. */
function isPlain(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function byLength(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : 1);
}
