import type { Block } from "../block/block.ts";
import type { Occupants } from "../gpu.ts";
import { asDecimal, ExactSums, type WideSum } from "./exact-sums.ts";
import { addIncrease, firstValue, lastValue } from "./increase.ts";
import { type Changes, excessOf, type MetricRollup } from "./metric-rollup.ts";
import { type Holder, isCounter, type Rollup } from "./rollup.ts";

/** A block of a GPU. */
export interface BlockOfGpu {
  readonly gpuKey: number;
  readonly block: Block;
}

/** Records in a row that belong to one entry. */
interface HeldRun {
  readonly block: Block;
  readonly from: number;
  readonly to: number;
  readonly entry: number;
  /** True for the first one of a GPU. */
  readonly isFirst: boolean;
}

/** The namespaces of occupants, each once and in order. */
export function holderOf(occupants: Occupants): Holder {
  return occupants.length === 0 ? [""] : [...new Set(occupants.map(({ namespace }) => namespace))].sort();
}

/** Summarizes the records of an hour.
 *  @param blocks in the order of GPUs and instants */
export function rollUp(blocks: readonly BlockOfGpu[]): Rollup {
  const entries = new Map<string, { readonly gpuKey: number; readonly holder: Holder }>();
  const indexes = new Map<string, number>();
  const heldRuns: HeldRun[] = [];
  let lastKey: number | undefined;
  for (const { gpuKey, block } of blocks) {
    let isFirst = lastKey !== gpuKey;
    let from = 0;
    for (const run of block.runs) {
      const holder = holderOf(run.occupants);
      const key = JSON.stringify([gpuKey, holder]);
      if (!indexes.has(key)) {
        indexes.set(key, entries.size);
        entries.set(key, { gpuKey, holder });
      }
      const to = from + run.records;
      heldRuns.push({ block, from, to, entry: indexes.get(key) as number, isFirst });
      [from, isFirst] = [to, false];
    }
    lastKey = gpuKey;
  }
  const all = [...entries.values()];
  const records = new Float64Array(all.length);
  for (const { entry, from, to } of heldRuns) records[entry] = (records[entry] as number) + to - from;
  const names = new Set(blocks.flatMap(({ block }) => [...block.metrics.keys()]));
  return {
    gpuKeys: Float64Array.from(all, ({ gpuKey }) => gpuKey),
    holders: all.map(({ holder }) => holder),
    records,
    metrics: new Map(Array.from(names, (name) => [name, metricOf(name, heldRuns, all.length)])),
  };
}

function metricOf(name: string, heldRuns: readonly HeldRun[], entries: number): MetricRollup {
  const counts = new Float64Array(entries);
  const minima = new Float64Array(entries).fill(NaN);
  const maxima = new Float64Array(entries).fill(NaN);
  const sums = new ExactSums(entries);
  for (const { block, from, to, entry } of heldRuns) {
    const values = block.metrics.get(name);
    if (values === undefined) continue;
    let count = counts[entry] as number;
    let least = count === 0 ? Infinity : (minima[entry] as number);
    let greatest = count === 0 ? -Infinity : (maxima[entry] as number);
    for (let place = from; place < to; place += 1) {
      const value = values[place] as number;
      if (value !== value) continue;
      count += 1;
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
    }
    if (count === 0) continue;
    counts[entry] = count;
    minima[entry] = least;
    maxima[entry] = greatest;
    sums.addBetween(entry, { values, from, to });
  }
  const changes = isCounter(name) ? changesOf(name, heldRuns, entries) : undefined;
  return { counts, minima, maxima, ...excessesOf(sums, counts, minima), digits: undefined, changes };
}

function excessesOf(
  sums: ExactSums,
  counts: Float64Array,
  minima: Float64Array,
): Pick<MetricRollup, "excesses" | "wide"> {
  const wide = new Map<number, ReturnType<ExactSums["wideSum"]>>();
  const excesses = counts.map((count, entry) => {
    if (count === 0) return NaN;
    const sum = sums.wideSum(entry);
    const excess = excessOf(sum, { count, minimum: minima[entry] as number });
    if (excess === undefined) wide.set(entry, sum);
    return excess ?? NaN;
  });
  return { excesses, wide };
}

function changesOf(name: string, heldRuns: readonly HeldRun[], entries: number): Changes {
  const firsts = new Float64Array(entries).fill(NaN);
  const lasts = new Float64Array(entries).fill(NaN);
  const hasValues = new Set<number>();
  const sums = new ExactSums(entries);
  let last = { value: NaN, entry: 0 };
  const end = (): void => {
    if (!Number.isNaN(last.value)) lasts[last.entry] = last.value;
  };
  for (const { block, from, to, entry, isFirst } of heldRuns) {
    if (isFirst) {
      end();
      last = { value: NaN, entry };
    }
    const values = block.metrics.get(name);
    const run = values && { values, from, to };
    const value = run === undefined ? NaN : lastValue(run);
    if (run === undefined || Number.isNaN(value)) continue;
    if (Number.isNaN(last.value)) firsts[entry] = firstValue(run);
    addIncrease(sums, entry, { ...run, previous: last.value });
    hasValues.add(entry);
    last = { value, entry };
  }
  end();
  const wide = new Map<number, WideSum>();
  const increases = firsts.map((_, entry) => {
    if (!hasValues.has(entry)) return NaN;
    const sum = sums.wideSum(entry);
    const increase = sum.partials.length === 0 ? asDecimal(sum.integer) : undefined;
    if (increase === undefined) wide.set(entry, sum);
    return increase ?? NaN;
  });
  return { firsts, lasts, increases, wide };
}
