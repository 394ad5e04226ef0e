import { decodeNamedColumn } from "../block/named-part.ts";
import { decodeNumbers, encodeNumbers } from "../block/number-column.ts";
import { UndecodableBlock } from "../errors.ts";
import { metrics } from "../metrics.ts";
import type { WideSum } from "./exact-sums.ts";
import { type MetricRollup, packMetric, unpackMetric } from "./metric-rollup.ts";

/** The most entries of a packed rollup, unless one GPU has more. */
export const rollupEntriesMax = 600;
/** What damaged bytes can cost. */
const entriesLimit = 2 ** 20;

/** The namespaces of the workloads that held a GPU at an instant, each once and in order: an empty one for a workload without one, and if
 *  there was no workload. */
export type Holder = readonly string[];

/** Summaries of the records of GPUs in one hour, in columns with an element for each entry. A GPU has an entry for each holder, so that the
 *  time of a namespace adds up. */
export interface Rollup {
  readonly gpuKeys: Float64Array;
  readonly holders: readonly Holder[];
  /** The numbers of records. */
  readonly records: Float64Array;
  /** By the names of the catalogue; only metrics that have values. */
  readonly metrics: ReadonlyMap<string, MetricRollup>;
}

/** A rollup as it is stored. */
export interface PackedRollup {
  readonly entries: number;
  readonly keys: Uint8Array;
  /** For each entry the index of its holder in `holderNames`. */
  readonly holders: Uint8Array;
  /** JSON. */
  readonly holderNames: string;
  readonly records: Uint8Array;
  readonly metrics: ReadonlyMap<string, Uint8Array>;
}

const counters: ReadonlySet<string> = new Set(metrics.flatMap(({ name, kind }) => (kind === "counter" ? [name] : [])));

/** True if a metric of the catalogue is a counter. */
export const isCounter = (name: string): boolean => counters.has(name);

/** Encodes a rollup. */
export function packRollup({ gpuKeys, holders, records, metrics: ofMetrics }: Rollup): PackedRollup {
  const texts = holders.map((holder) => JSON.stringify(holder));
  const indexes = new Map([...new Set(texts)].map((text, index) => [text, index]));
  return {
    entries: gpuKeys.length,
    keys: encodeNumbers(gpuKeys),
    holders: encodeNumbers(Float64Array.from(texts, (text) => indexes.get(text) ?? NaN)),
    holderNames: `[${[...indexes.keys()].join()}]`,
    records: encodeNumbers(records),
    metrics: new Map(Array.from(ofMetrics, ([name, rollup]) => [name, packMetric(rollup)])),
  };
}

/** Decodes a rollup, or those of its metrics that `packed` has.
 *  @throws UndecodableBlock if it is damaged */
export function unpackRollup(packed: PackedRollup): Rollup {
  const { entries } = packed;
  if (!(entries >= 0 && entries <= entriesLimit)) throw new UndecodableBlock(`a rollup has ${entries} entries`);
  const column = (name: string, bytes: Uint8Array): Float64Array =>
    decodeNamedColumn(name, () => decodeNumbers(bytes, entries));
  const names = holdersOf(packed.holderNames);
  return {
    gpuKeys: column("keys", packed.keys),
    holders: Array.from(column("holders", packed.holders), (index) => {
      const holder = names[index];
      if (holder === undefined) throw new UndecodableBlock(`a rollup has no holder ${index}`);
      return holder;
    }),
    records: column("records", packed.records),
    metrics: new Map(
      Array.from(packed.metrics, ([name, bytes]) => [
        name,
        decodeNamedColumn(name, () => unpackMetric(bytes, { entries, isCounter: isCounter(name) })),
      ]),
    ),
  };
}

/** Reads the names of holders.
 *  @throws UndecodableBlock if they are damaged */
export function holdersOf(holderNames: string): readonly Holder[] {
  return decodeNamedColumn("holder_names", () => {
    let names: unknown;
    try {
      names = JSON.parse(holderNames);
    } catch (cause) {
      throw new UndecodableBlock("it is not JSON", { cause });
    }
    if (Array.isArray(names) && names.every((holder) => Array.isArray(holder))) return names;
    throw new UndecodableBlock("it is not a list of holders");
  });
}

interface Place {
  readonly rollup: Rollup;
  readonly entry: number;
}

/** The entries of several rollups of an hour that are to be kept, in the order of GPUs, in rollups of some hundred entries. All entries of a
 *  GPU are in one, where they are found by its key. */
export function joinRollups(rollups: readonly Rollup[], isKept: (rollup: Rollup, entry: number) => boolean): Rollup[] {
  const places = rollups.flatMap((rollup) =>
    Array.from(rollup.gpuKeys, (_, entry): Place => ({ rollup, entry })).filter(({ entry }) => isKept(rollup, entry)),
  );
  const keyOf = ({ rollup, entry }: Place): number => rollup.gpuKeys[entry] as number;
  places.sort((a, b) => keyOf(a) - keyOf(b));
  const joined: Rollup[] = [];
  const ofGpu = [...Map.groupBy(places, keyOf).values()];
  let next: Place[] = [];
  for (const each of ofGpu) {
    if (next.length > 0 && next.length + each.length > rollupEntriesMax) {
      joined.push(rollupOf(next));
      next = [];
    }
    next.push(...each);
  }
  if (next.length > 0) joined.push(rollupOf(next));
  return joined;
}

function rollupOf(places: readonly Place[]): Rollup {
  const column = (value: (place: Place) => number | undefined): Float64Array =>
    Float64Array.from(places, (place) => value(place) ?? NaN);
  const names = new Set(places.flatMap(({ rollup }) => [...rollup.metrics.keys()]));
  return {
    gpuKeys: column(({ rollup, entry }) => rollup.gpuKeys[entry]),
    holders: places.map(({ rollup, entry }) => rollup.holders[entry] ?? []),
    records: column(({ rollup, entry }) => rollup.records[entry]),
    metrics: new Map(Array.from(names, (name) => [name, metricOf(places, name)])),
  };
}

function metricOf(places: readonly Place[], name: string): MetricRollup {
  const column = (value: (rollup: MetricRollup, entry: number) => number | undefined, absent = NaN): Float64Array =>
    Float64Array.from(places, ({ rollup, entry }) => {
      const ofMetric = rollup.metrics.get(name);
      return (ofMetric && value(ofMetric, entry)) ?? absent;
    });
  const wideOf = (of: (rollup: MetricRollup) => ReadonlyMap<number, WideSum> | undefined): Map<number, WideSum> =>
    new Map(
      places.flatMap(({ rollup, entry }, index) => {
        const ofMetric = rollup.metrics.get(name);
        const sum = ofMetric && of(ofMetric)?.get(entry);
        return sum === undefined ? [] : [[index, sum] as const];
      }),
    );
  return {
    counts: column(({ counts }, entry) => counts[entry], 0),
    minima: column(({ minima }, entry) => minima[entry]),
    maxima: column(({ maxima }, entry) => maxima[entry]),
    excesses: column(({ excesses }, entry) => excesses[entry]),
    digits: undefined,
    wide: wideOf(({ wide }) => wide),
    changes: isCounter(name)
      ? {
          firsts: column(({ changes }, entry) => changes?.firsts[entry]),
          lasts: column(({ changes }, entry) => changes?.lasts[entry]),
          increases: column(({ changes }, entry) => changes?.increases[entry]),
          wide: wideOf(({ changes }) => changes?.wide),
        }
      : undefined,
  };
}
