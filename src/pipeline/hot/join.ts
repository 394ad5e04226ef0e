import type { Gpu, Workload } from "../../domain/gpu.ts";
import { metrics } from "../../domain/metrics.ts";
import type { GpuState, NewestRecord } from "./hot-tier.ts";

// Joining two pieces of knowledge gives the same whichever comes first, and joining one twice changes nothing: that is
// why processes that hear of the same things in different orders agree in the end.

/** Joins two states of one GPU: the newer one's attributes hold, what it leaves open is filled from the older one. Of
 *  two that say different things at the same instant the greater text holds.
 *  @returns `known` itself where `said` adds nothing */
export function joinStates(known: GpuState, said: GpuState): GpuState {
  const firstSeenAtMs = Math.min(known.firstSeenAtMs, said.firstSeenAtMs);
  const asOfMs = Math.max(known.asOfMs, said.asOfMs);
  const gpu = joinGpus(known, said);
  if (gpu === known.gpu && firstSeenAtMs === known.firstSeenAtMs && asOfMs === known.asOfMs) return known;
  return { gpu, asOfMs, firstSeenAtMs };
}

function joinGpus(known: GpuState, said: GpuState): Gpu {
  if (addsNothing(known.gpu, said.gpu)) return known.gpu;
  const [newer, older] = inOrder(known, said);
  const text = (name: "device" | "modelName" | "driverVersion"): string => newer[name] || older[name];
  const { uuid, clusterId, hostname, gpuId } = newer;
  const properties = sortedByKey({ ...older.properties, ...newer.properties });
  const place = { uuid, clusterId, hostname, gpuId };
  const joined = {
    ...place,
    ...{ device: text("device"), modelName: text("modelName"), driverVersion: text("driverVersion") },
    properties,
  };
  return sameGpu(joined, known.gpu) ? known.gpu : joined;
}

/** True where the second says nothing that the first does not: the usual case, told without making an object. */
function addsNothing(known: Gpu, said: Gpu): boolean {
  if (known === said) return true;
  const isCovered = (name: "device" | "modelName" | "driverVersion"): boolean =>
    said[name] === known[name] || said[name] === "";
  return (
    said.hostname === known.hostname &&
    said.gpuId === known.gpuId &&
    said.clusterId === known.clusterId &&
    isCovered("device") &&
    isCovered("modelName") &&
    isCovered("driverVersion") &&
    Object.entries(said.properties).every(([name, value]) => known.properties[name] === value)
  );
}

function inOrder(known: GpuState, said: GpuState): [newer: Gpu, older: Gpu] {
  const saidIsNewer = said.asOfMs === known.asOfMs ? textOf(said.gpu) > textOf(known.gpu) : said.asOfMs > known.asOfMs;
  return saidIsNewer ? [said.gpu, known.gpu] : [known.gpu, said.gpu];
}

const textOf = ({ clusterId, hostname, gpuId, device, modelName, driverVersion, properties }: Gpu): string =>
  JSON.stringify([clusterId, hostname, gpuId, device, modelName, driverVersion, sortedByKey(properties)]);

/** True where both say the same of a GPU. */
export function sameGpu(a: Gpu, b: Gpu): boolean {
  return a === b || (a.uuid === b.uuid && addsNothing(a, b) && addsNothing(b, a));
}

/** Joins two newest records of one GPU: the newer one holds, two of the same instant merge. Of two values for the same
 *  metric and instant the greater holds.
 *  @returns `known` itself where `said` adds nothing */
export function joinRecords(known: NewestRecord, said: NewestRecord): NewestRecord {
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
  const isSame = said.container === known.container && said.pod === known.pod && said.namespace === known.namespace;
  if (isSame) return known;
  const text = (name: keyof Workload): string => (said[name] > known[name] ? said[name] : known[name]);
  const joined = { container: text("container"), pod: text("pod"), namespace: text("namespace") };
  const isKnown = (Object.keys(joined) as (keyof Workload)[]).every((name) => joined[name] === known[name]);
  return isKnown ? known : joined;
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
  const keyed = names.map((name) => ({ name, bytes: Buffer.from(name) }));
  keyed.sort((a, b) => a.bytes.length - b.bytes.length || Buffer.compare(a.bytes, b.bytes));
  return Object.fromEntries(keyed.map(({ name }) => [name, object[name] as Value]));
}
