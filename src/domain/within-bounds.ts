import { type Gpu, isSameAttributes, isSameOccupants, noOccupants, type Occupants } from "./gpu.ts";
import { type GpuBounds, isHeldWithin, isPlaceWithin } from "./gpu-bounds.ts";
import type { AttributesSpan, GpuChanges, StoredRecord, WorkloadSpan } from "./query.ts";
import { isDeviceLabel, parseSeries } from "./series.ts";
import type { TimeRange } from "./time-range.ts";

/** A record, or records in columns, as far as bounds decide what may be seen of it. */
interface Bounded extends Pick<StoredRecord, "gpu" | "occupants"> {
  readonly custom: Readonly<Record<string, unknown>>;
}

/** The part of a record, or of records in columns, that may be seen: without other workloads and their series.
 *  @returns undefined if no part of it may be seen; the record itself if all of it may */
export function recordWithin<Seen extends Bounded>(bounds: GpuBounds, record: Seen): Seen | undefined {
  if (!isPlaceWithin(bounds, record.gpu) || !isHeldWithin(bounds, record.occupants)) return undefined;
  const occupants = occupantsWithin(bounds, record.occupants);
  const custom = seriesWithin(bounds, record.custom, occupants);
  const gpu = attributesWithin(bounds, record.gpu);
  if (occupants === record.occupants && custom === record.custom && gpu === record.gpu) return record;
  return { ...record, gpu, custom, occupants };
}

/** The attributes that may be seen. Labels without a meaning of their own can be of any workload that held the GPU, such as the uid of
 *  its pod: bounds with namespaces leave all of them out.
 *  @returns the attributes themselves if all of them may be seen */
export function attributesWithin<Attributes extends { readonly properties: Gpu["properties"] }>(
  { namespaces }: GpuBounds,
  attributes: Attributes,
): Attributes {
  if (namespaces === undefined || Object.keys(attributes.properties).length === 0) return attributes;
  return { ...attributes, properties: {} };
}

/** The workloads that may be seen. */
export function occupantsWithin({ namespaces }: GpuBounds, occupants: Occupants): Occupants {
  if (namespaces === undefined) return occupants;
  const own = occupants.filter(({ namespace }) => namespaces.includes(namespace));
  return own.length === occupants.length ? occupants : own.length === 0 ? noOccupants : own;
}

/** Labels of a series that name its workload. */
const workloadLabel = /^(?:exported_)?(?:(namespace|pod_namespace)|(pod|pod_name)|(container|container_name))$/i;

/** The series of the device itself and of own workloads. A label of any other name may name someone: the user, the program or the virtual
 *  machine of a workload. */
function seriesWithin({ namespaces }: GpuBounds, custom: Bounded["custom"], own: Occupants): Bounded["custom"] {
  if (namespaces === undefined) return custom;
  const entries = Object.entries(custom);
  const kept = entries.filter(([name]) => {
    const series = parseSeries(name);
    // what looks like labels, and cannot be read, may name someone as well
    if (series === undefined) return !name.endsWith("}");
    const labels = Object.entries(series.labels);
    const named = labels.flatMap(([label, text]) => {
      const match = workloadLabel.exec(label);
      return match === null ? [] : [{ match, text }];
    });
    const inNamespaces = named.filter(({ match }) => match[1] !== undefined);
    if (inNamespaces.length > 0) return inNamespaces.every(({ text }) => namespaces.includes(text));
    // containers of many workloads have one name
    if (named.every(({ match }) => match[2] === undefined)) return labels.every(([label]) => isDeviceLabel(label));
    return own.some(({ pod, container }) =>
      named.every(({ match, text }) => text === (match[2] === undefined ? container : pod)),
    );
  });
  return kept.length === entries.length ? custom : Object.fromEntries(kept);
}

/** The changes of a GPU within bounds, as if it had been seen only while it was within.
 *  @param changes all changes up to the end of the range */
export function changesWithin(bounds: GpuBounds, changes: GpuChanges, { fromMs }: TimeRange): GpuChanges {
  const moments = [...changes.attributes, ...changes.workloads].map((span) => span.fromMs);
  const attributes: AttributesSpan[] = [];
  const workloads: WorkloadSpan[] = [];
  for (const atMs of [...new Set(moments)].sort((a, b) => a - b)) {
    const [place, held] = [spanAt(changes.attributes, atMs), spanAt(changes.workloads, atMs)];
    if (place === undefined || !isPlaceWithin(bounds, place) || !isHeldWithin(bounds, held?.occupants)) continue;
    const shown = attributesWithin(bounds, place);
    const [lastPlace, lastHeld] = [attributes.at(-1), workloads.at(-1)];
    if (lastPlace === undefined || !isSameAttributes(lastPlace, shown)) attributes.push({ ...shown, fromMs: atMs });
    if (held === undefined) continue;
    const occupants = occupantsWithin(bounds, held.occupants);
    if (lastHeld === undefined || !isSameOccupants(lastHeld.occupants, occupants))
      workloads.push({ occupants, fromMs: atMs });
  }
  return { attributes: since(attributes, fromMs), workloads: since(workloads, fromMs) };
}

function spanAt<Span extends { readonly fromMs: number }>(spans: readonly Span[], atMs: number): Span | undefined {
  return spans.findLast((span) => span.fromMs <= atMs);
}

/** The span at the beginning of the range, and all that begin later. */
function since<Span extends { readonly fromMs: number }>(spans: readonly Span[], fromMs: number): readonly Span[] {
  const first = spans.findLastIndex((span) => span.fromMs <= fromMs);
  return spans.slice(Math.max(0, first));
}
