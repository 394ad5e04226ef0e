import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { RecordBatch } from "../../domain/batch.ts";
import { metricNameOf } from "../../domain/dialects/spelling-of.ts";
import { isOwnFault } from "../../domain/reading.ts";
import type { SeriesEnd } from "../../domain/series-end.ts";
import { parseSeries } from "../../domain/series.ts";
import type { LiveBatch } from "../source/source.ts";

/** The series that a live source had values of when it was read. */
export interface ReadSeries {
  /** The series of each device as JSON: the same text for the same series. */
  readonly text: string;
  /** The time of the reading, milliseconds since the epoch. */
  readonly timeMs: number;
}

const storedGroups = Type.Array(Type.Object({ series: Type.Array(Type.String()), devices: Type.Array(Type.String()) }));

/** The names of series by uuid of their device. */
type NamesByDevice = Map<string, Set<string>>;

/** Adds to a reading the ends of the series that the source had when it was read before, and has no more: of all of them if the source did
 *  not answer. A Prometheus that scrapes the source writes stale markers for the same series. A reading that the pipeline has missed itself
 *  tells nothing, and an answer that was cut off does not tell what has ended.
 *  @param before undefined: not known, so no end can be told
 *  @returns the reading, and the series that are known after it
 *  Source: https://prometheus.io/docs/prometheus/latest/querying/basics/#staleness */
export function withEnds(
  live: LiveBatch,
  before: ReadSeries | undefined,
): { readonly live: LiveBatch; readonly after: ReadSeries | undefined } {
  const { reading, batch, timeMs, isCut = false } = live;
  if (reading === undefined || (reading.reason !== undefined && isOwnFault(reading.reason))) {
    return { live, after: before };
  }
  const read = namesIn(batch, timeMs);
  if (isCut) for (const [uuid, names] of namesOf(before)) read.set(uuid, names.union(read.get(uuid) ?? new Set()));
  const after = { text: textOf(read), timeMs };
  const ends = before === undefined || before.text === after.text ? [] : endsOf(before, read, timeMs);
  return { live: ends.length === 0 ? live : { ...live, batch: { ...batch, ends } }, after };
}

function endsOf(before: ReadSeries, read: NamesByDevice, timeMs: number): SeriesEnd[] {
  return [...namesOf(before)].flatMap(([uuid, names]) => {
    const gone = names.difference(read.get(uuid) ?? new Set());
    return gone.size === 0 ? [] : [{ uuid, timeMs, sinceMs: before.timeMs, series: [...gone] }];
  });
}

/** The series of the records at an instant. Samples with times of their own are not among them: a Prometheus writes no stale markers for
 *  those either, because the next one may come at any time. */
function namesIn({ columns, custom, gpus, gpuIndexes, timesMs }: RecordBatch, timeMs: number): NamesByDevice {
  const byRecord = new Map<number, { readonly own: Set<string>; readonly folds: Set<string> }>();
  const byDevice: NamesByDevice = new Map();
  for (const [record, gpu] of gpuIndexes.entries()) {
    if (timesMs[record] !== timeMs) continue;
    const own = new Set<string>();
    byRecord.set(record, { own, folds: new Set() });
    byDevice.set(gpus[gpu]?.uuid ?? "", own);
  }
  const metrics = new Map<string, string | undefined>();
  for (const { record, metric: series } of custom) {
    if (!metrics.has(series)) metrics.set(series, metricOf(series));
    const names = byRecord.get(record);
    names?.own.add(series);
    const metric = metrics.get(series);
    if (metric !== undefined) names?.folds.add(metric);
  }
  for (const [metric, column] of columns) {
    // a plain value of a metric that has labelled series follows from them
    for (const [record, { own, folds }] of byRecord) {
      if (!Number.isNaN(column[record]) && !folds.has(metric)) own.add(metric);
    }
  }
  return byDevice;
}

/** The metric of a labelled series; undefined if the name is that of a metric. */
function metricOf(series: string): string | undefined {
  const parsed = parseSeries(series);
  return parsed && metricNameOf(parsed.metric);
}

/** Devices with the same series share their names. */
function textOf(byDevice: NamesByDevice): string {
  const devices = new Map<string, string[]>();
  for (const [uuid, names] of byDevice) {
    if (names.size === 0) continue;
    const key = JSON.stringify([...names].sort());
    const sharing = devices.get(key);
    if (sharing === undefined) devices.set(key, [uuid]);
    else sharing.push(uuid);
  }
  const groups = [...devices].map(([key, uuids]) => `{"series":${key},"devices":${JSON.stringify(uuids.sort())}}`);
  return `[${groups.sort().join(",")}]`;
}

/** A text that this program did not write tells nothing. */
function namesOf(read: ReadSeries | undefined): NamesByDevice {
  const groups = read === undefined ? [] : parsed(read.text);
  return new Map(groups.flatMap(({ series, devices }) => devices.map((uuid) => [uuid, new Set(series)] as const)));
}

function parsed(text: string) {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(storedGroups, value) ? value : [];
  } catch {
    return [];
  }
}
