import { defined } from "../../kit/defined.ts";
import { isFuture } from "../../domain/future-records.ts";
import { mergedOccupants } from "../../domain/gpu.ts";
import { mergedValues } from "../../domain/merged-values.ts";
import { metrics } from "../../domain/metrics.ts";
import { compareVersions, versionOf } from "./contested-version.ts";
import type { CoalescedRecords, NewestRecord, ReportedGpu } from "./hot-tier.ts";
import { sortedByKey } from "./sorted-by-key.ts";

type Values = Readonly<Record<string, number>>;

/** Merges two records of one GPU: the newer one wins, unless only the other one has values. Two records of the same instant are
 *  combined: the greater of two values of a series wins, plain values follow from all series, the record has the occupants of
 *  both records, and of what they say about the GPU, the greater of two fields wins. If they are records of two hosts, the record
 *  of the host with the smaller name wins (see domain/building/two-hosts.ts). A record of a later version of a contested GPU
 *  replaces the other one. The order of the records does not matter.
 *  @returns `existing` itself if `incoming` adds nothing */
export function mergeRecords(existing: NewestRecord, incoming: NewestRecord): NewestRecord {
  const later = compareVersions(incoming, existing);
  if (later !== 0) return later > 0 ? incoming : existing;
  if (hasValues(incoming) !== hasValues(existing)) return hasValues(incoming) ? incoming : existing;
  if (incoming.timeMs !== existing.timeMs) return incoming.timeMs > existing.timeMs ? incoming : existing;
  const [host, otherHost] = [existing.reported.hostname, incoming.reported.hostname];
  if (otherHost !== host) return otherHost < host ? incoming : existing;
  const reported = mergedReports(existing.reported, incoming.reported);
  const occupants = mergedOccupants(existing.occupants, incoming.occupants);
  const isUnchanged = isIn(incoming.metrics, existing.metrics) && isIn(incoming.custom, existing.custom);
  if (isUnchanged && occupants === existing.occupants && reported === existing.reported) return existing;
  const merged = mergedValues(entriesOf(existing), entriesOf(incoming));
  return {
    uuid: existing.uuid,
    reported,
    timeMs: existing.timeMs,
    metrics: inCatalogueOrder(merged.metrics),
    custom: sortedByKey(Object.fromEntries(merged.custom)),
    occupants,
    ...versionOf(existing),
    ...defined({ traceparent: incoming.traceparent ?? existing.traceparent }),
    ...defined({ coalesced: joined(existing.coalesced, incoming.coalesced) }),
  };
}

/** Merges a record that arrives into the newest one of its GPU. If that is of the future, a record of the present replaces it: the clock of
 *  its sender has been corrected, and the values of the future would be shown until their time has come. This depends on the order of
 *  arrival. */
export function mergeArrived(existing: NewestRecord, arrived: NewestRecord, nowMs: number): NewestRecord {
  const isCorrected = isFuture(existing.timeMs, nowMs) && !isFuture(arrived.timeMs, nowMs) && hasValues(arrived);
  return isCorrected && compareVersions(arrived, existing) >= 0 ? arrived : mergeRecords(existing, arrived);
}

/** What a write tells of the records that it coalesces, if two of its records of one GPU are merged.
 *  @param merged the result of `mergeRecords` */
export function coalescedInto(merged: NewestRecord, parts: readonly NewestRecord[]): NewestRecord {
  let coalesced: CoalescedRecords | undefined;
  for (const part of parts) {
    coalesced = joined(coalesced, part.coalesced);
    if (part.timeMs < merged.timeMs) coalesced = joined(coalesced, { sinceMs: part.timeMs, records: 1 });
  }
  return coalesced === undefined ? merged : { ...merged, coalesced };
}

function joined(a: CoalescedRecords | undefined, b: CoalescedRecords | undefined): CoalescedRecords | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { sinceMs: Math.min(a.sinceMs, b.sinceMs), records: a.records + b.records };
}

/** What two records of one GPU, instant and host say about the GPU: the greater value of each field.
 *  @returns `existing` itself if `incoming` adds nothing */
function mergedReports(existing: ReportedGpu, incoming: ReportedGpu): ReportedGpu {
  const isSame =
    incoming.clusterId <= existing.clusterId &&
    (incoming.gpuId ?? -1) <= (existing.gpuId ?? -1) &&
    incoming.device <= existing.device &&
    incoming.modelName <= existing.modelName;
  if (isSame) return existing;
  const greater = (name: "clusterId" | "device" | "modelName"): string =>
    existing[name] > incoming[name] ? existing[name] : incoming[name];
  const gpuIds = [existing.gpuId, incoming.gpuId].filter((gpuId) => gpuId !== undefined);
  return {
    clusterId: greater("clusterId"),
    hostname: existing.hostname,
    gpuId: gpuIds.length === 0 ? undefined : Math.max(...gpuIds),
    device: greater("device"),
    modelName: greater("modelName"),
  };
}

/** False for a record that only describes its GPU. */
export function hasValues({ metrics: values, custom }: NewestRecord): boolean {
  for (const _ in values) return true;
  return Object.keys(custom).length > 0;
}

/** The value of a name; `__proto__` is a name like any other. */
function valueOf(values: Values, name: string): number | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function isIn(values: Values, into: Values): boolean {
  return Object.entries(values).every(([name, value]) => (valueOf(into, name) ?? -Infinity) >= value);
}

function entriesOf({ metrics: values, custom }: NewestRecord) {
  return { metrics: Object.entries(values), custom: Object.entries(custom) };
}

function inCatalogueOrder(values: ReadonlyMap<string, number>): Values {
  const present = metrics.flatMap(({ name }): [string, number][] => {
    const value = values.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(present);
}
