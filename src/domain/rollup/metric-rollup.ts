import { ByteReader } from "../block/byte-reader.ts";
import { ByteWriter } from "../block/byte-writer.ts";
import { decodeColumn, encodeNumbers, type NumberColumn, type TakeColumn } from "../block/number-column.ts";
import { UndecodableBlock } from "../errors.ts";
import { asDecimal, type EntriesAdded, type ExactSums, unitsOf, type WideSum } from "./exact-sums.ts";

// The values of one metric in the entries of a rollup, in columns. Packed: for each column the length of its bytes (varint) and the bytes
// (number-column.ts): counts, minima, maxima, excesses; of a counter also the first and the last values, and the increases. Then the wide
// sums as JSON: for each the index of its entry, the integer, and the partials, as texts. Wide increases follow in the same way: their
// indexes go on from the number of entries.

/** What entries have of a metric; columns with an element for each entry. */
export interface MetricRollup {
  /** The number of values. Without values, an entry has NaN in the other columns. */
  readonly counts: Float64Array;
  readonly minima: Float64Array;
  readonly maxima: Float64Array;
  /** The sum of the values less the minimum: small, and thus short. NaN: the sum is among the wide ones. */
  readonly excesses: Float64Array;
  /** See `ExactSums.addEntries`. */
  readonly digits: number | undefined;
  readonly wide: ReadonlyMap<number, WideSum>;
  /** Undefined: the metric is no counter. */
  readonly changes: Changes | undefined;
}

/** How a counter changed. */
export interface Changes {
  /** The first and the last value of the GPU; NaN if it is in another entry. */
  readonly firsts: Float64Array;
  readonly lasts: Float64Array;
  /** From each value of the GPU to the next one, which counts for the entry with the next one. A counter that became less has
   *  started at 0 again. */
  readonly increases: Float64Array;
  /** The increases that have no decimal of few digits; NaN in `increases`. */
  readonly wide: ReadonlyMap<number, WideSum>;
}

/** The excess of a sum: exact, or undefined if it has to be a wide one. */
export function excessOf(
  { integer, partials }: WideSum,
  { count, minimum }: { readonly count: number; readonly minimum: number },
): number | undefined {
  const least = partials.length === 0 ? unitsOf(minimum) : undefined;
  return least === undefined ? undefined : asDecimal(integer - least * BigInt(count));
}

/** Adds the sums of entries to other sums. */
export function addEntries(sums: ExactSums, rollup: MetricRollup, added: EntriesAdded): void {
  sums.addEntries(added, rollup);
  if (rollup.wide.size === 0) return;
  for (let index = 0; index < added.length; index += 1) {
    const wide = rollup.wide.get(added.entries[index] as number);
    if (wide !== undefined) sums.addWide(added.cells[index] as number, wide);
  }
}

/** Adds the increases of entries to sums. */
export function addIncreases(sums: ExactSums, { increases, wide }: Changes, added: EntriesAdded): void {
  for (let index = 0; index < added.length; index += 1) {
    const entry = added.entries[index] as number;
    const increase = increases[entry] as number;
    if (increase > 0) sums.add(added.cells[index] as number, increase);
    else if (Number.isNaN(increase)) {
      const sum = wide.get(entry);
      if (sum !== undefined) sums.addWide(added.cells[index] as number, sum);
    }
  }
}

/** Encodes what entries have of a metric. */
export function packMetric({ counts, minima, maxima, excesses, wide, changes }: MetricRollup): Uint8Array {
  const writer = new ByteWriter(counts.length * 8);
  const ofCounter = changes === undefined ? [] : [changes.firsts, changes.lasts, changes.increases];
  for (const column of [counts, minima, maxima, excesses, ...ofCounter]) {
    const bytes = encodeNumbers(column);
    writer.varint(bytes.length);
    writer.bytesOf(bytes);
  }
  const textOf = (place: number, sum: WideSum): readonly [number, ...string[]] => [
    place,
    String(sum.integer),
    ...sum.partials.map(String),
  ];
  const texts = [
    ...Array.from(wide, ([entry, sum]) => textOf(entry, sum)),
    ...Array.from(changes?.wide ?? [], ([entry, sum]) => textOf(counts.length + entry, sum)),
  ];
  writer.bytesOf(new TextEncoder().encode(texts.length === 0 ? "" : JSON.stringify(texts)));
  return writer.written();
}

/** @param bytes what `packMetric` made
 *  @param take gives the arrays of the columns
 *  @throws UndecodableBlock if they are damaged */
export function unpackMetric(
  bytes: Uint8Array,
  { entries, isCounter, take }: { readonly entries: number; readonly isCounter: boolean; readonly take?: TakeColumn },
): MetricRollup {
  const reader = new ByteReader(bytes);
  const column = (): NumberColumn => decodeColumn(reader.bytesOf(reader.count(bytes.length)), entries, take);
  const [{ values: counts }, minima, { values: maxima }, excesses] = [column(), column(), column(), column()];
  const ofCounter = isCounter
    ? { firsts: column().values, lasts: column().values, increases: column().values }
    : undefined;
  const sums = reader.isAtEnd ? noSums : wideSumsOf(new TextDecoder().decode(reader.rest()));
  const ofIncreases = [...sums].flatMap(([place, sum]) => (place < entries ? [] : [[place - entries, sum] as const]));
  return {
    counts,
    minima: minima.values,
    maxima,
    excesses: excesses.values,
    digits: most(minima.digits, excesses.digits),
    changes: ofCounter && { ...ofCounter, wide: new Map(ofIncreases) },
    wide: sums.size === 0 ? sums : new Map([...sums].filter(([place]) => place < entries)),
  };
}

const noSums: ReadonlyMap<number, WideSum> = new Map();

function most(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a, b);
}

function wideSumsOf(text: string): Map<number, WideSum> {
  try {
    const texts = JSON.parse(text) as readonly (readonly [entry: number, integer: string, ...partials: string[]])[];
    return new Map(
      texts.map(([entry, integer, ...partials]) => [
        entry,
        { integer: BigInt(integer), partials: partials.map(Number) },
      ]),
    );
  } catch (error) {
    throw new UndecodableBlock("the wide sums of a rollup are damaged", { cause: error });
  }
}
