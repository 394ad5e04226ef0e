import type { SqlExecutor } from "../../../../db/client.ts";
import { selectNextHour } from "../../../../db/sql/filled-hours.ts";
import { type OpenHour, type RollupsOfHour, selectRollupHours } from "../../../../db/sql/rollup-hours.ts";
import { decodeNamedColumn } from "../../../../domain/block/named-part.ts";
import { decodeNumbers } from "../../../../domain/block/number-column.ts";
import { hourMs, hourOf, type TimeRange } from "../../../../domain/time-range.ts";
import { turnOfOthers } from "../../../../kit/turn.ts";
import { decodeNamed, nameOfRollups } from "../../../../db/named-block.ts";
import type { HistoryPart } from "../history/history-part.ts";
import { historyParts, type WantedParts } from "../history/history-parts.ts";
import { CounterEnds } from "./counter-ends.ts";
import { type CountedRollups, risingMetrics, type SpanOfSums, Summaries, type SummaryQuestion } from "./summaries.ts";

/** The entries that are in memory at a time, about. */
const entriesPerSlice = 2 ** 18;
const hoursPerSlice = 744;
/** About 10 ms. */
const rollupsPerTurn = 64;

/** Summarizes the records of some GPUs, in the order of time: by hour, or by bucket if these are longer; those without records are left out.
 *  Whole hours come from rollups as far as these are settled. Each GPU's hour is from one snapshot of the database.
 *  @param range whole buckets, with finite bounds
 *  @param executor one whose signal and time limit hold between its statements, too */
export async function* summarize(
  executor: SqlExecutor,
  range: TimeRange,
  question: SummaryQuestion,
): AsyncGenerator<SpanOfSums, void, undefined> {
  if (!(range.fromMs < range.toMs) || question.groups.gpuKeys.length === 0) return;
  const ends = await endsBefore(executor, range.fromMs, question);
  if (question.widthMs < hourMs) yield* fromRecords(executor, range, { question, ends });
  else yield* fromRollups(executor, range, { question, ends });
}

/** How much earlier the minute of the value may begin from which a counter increased. */
const minutesGapMs = 5 * 60_000;

/** What the increases to the first values of a range follow from: the last values of the counters before it. These are of the hour before
 *  or, for minutes, of the few minutes before: there may be no rollups of those. */
async function endsBefore(executor: SqlExecutor, toMs: number, asked: SummaryQuestion): Promise<CounterEnds> {
  const isByMinute = asked.widthMs < hourMs;
  const gapMs = isByMinute ? minutesGapMs : hourMs;
  const ends = new CounterEnds(asked.groups.gpuKeys, gapMs);
  const metrics = risingMetrics(asked);
  if (metrics.length === 0) return ends;
  const question = { ...asked, metrics, widthMs: Math.min(asked.widthMs, hourMs) };
  const range = { fromMs: toMs - gapMs, toMs };
  const before = isByMinute
    ? fromRecords(executor, range, { question, ends })
    : fromRollups(executor, range, { question, ends });
  while ((await before.next()).done !== true);
  return ends;
}

/** A question, and what is known of the time before the range. */
interface Asked {
  readonly question: SummaryQuestion;
  readonly ends: CounterEnds;
}

const partsWanted = (
  { metrics, groups, own }: SummaryQuestion,
  of: Pick<WantedParts, "gpuKeys" | "range">,
): WantedParts => ({
  ...of,
  metrics,
  skipsEmptyHours: own.skipsEmptyHours,
  withRuns: groups.needsHolders,
});

async function* fromRecords(
  executor: SqlExecutor,
  range: TimeRange,
  { question, ends }: Asked,
): AsyncGenerator<SpanOfSums, void, undefined> {
  const summaries = new Summaries(question, ends);
  const wanted = partsWanted(question, { gpuKeys: question.groups.gpuKeys, range });
  for await (const parts of historyParts(executor, wanted)) {
    // those of earlier hours are complete
    const firstMs = parts.reduce((first, { timesMs }) => Math.min(first, timesMs[0] as number), Infinity);
    yield* summaries.before(hourOf(firstMs));
    await addParts(summaries, parts);
  }
  yield* summaries.before(Infinity);
}

/** Values that are added at a time: it takes about 10 ms. */
const valuesPerTurn = 100_000;

async function addParts(summaries: Summaries, parts: readonly HistoryPart[]): Promise<void> {
  let added = 0;
  for (const part of parts) {
    summaries.addPart(part);
    added += part.timesMs.length * part.metrics.size;
    if (added < valuesPerTurn) continue;
    added = 0;
    await turnOfOthers();
  }
}

async function* fromRollups(
  executor: SqlExecutor,
  range: TimeRange,
  { question, ends }: Asked,
): AsyncGenerator<SpanOfSums, void, undefined> {
  const { gpuKeys } = question.groups;
  const spanMs = Math.max(1, Math.min(hoursPerSlice, Math.floor(entriesPerSlice / gpuKeys.length))) * hourMs;
  const read = (fromMs: number): Promise<Slice> | undefined => {
    if (fromMs >= range.toMs) return undefined;
    const part = { fromMs, toMs: Math.min(range.toMs, fromMs + spanMs) };
    const slice = readSlice(executor, part, question);
    // it is awaited later, or not at all if the caller has enough
    slice.catch(() => undefined);
    return slice;
  };
  const summaries = new Summaries(question, ends);
  const keys = new KnownKeys();
  for (let reading = read(range.fromMs); reading !== undefined;) {
    const slice = await reading;
    reading = read(question.own.skipsEmptyHours ? await nextSlice(executor, slice, range.toMs) : slice.range.toMs);
    const entries = new RollupEntries(
      slice,
      question,
      slice.rollups.map((row) => ({ row, gpuKeys: keys.next(row) })),
    );
    await entries.addTo(summaries);
    for (const open of entries.openParts()) {
      for await (const parts of historyParts(executor, partsWanted(question, open))) {
        await addParts(summaries, parts);
      }
    }
    yield* summaries.before(slice.range.toMs);
  }
}

interface Slice {
  readonly range: TimeRange;
  readonly rollups: readonly RollupsOfHour[];
  readonly open: readonly OpenHour[];
}

/** Where the slice after another one begins. After one without anything, this is the next hour that has records or rollups. */
async function nextSlice(executor: SqlExecutor, { range, rollups, open }: Slice, toMs: number): Promise<number> {
  if (rollups.length > 0 || open.length > 0 || range.toMs >= toMs) return range.toMs;
  const tables = ["telemetry", "rollups", "unsettled"] as const;
  return (await selectNextHour(executor, tables, { fromMs: range.toMs, toMs })) ?? toMs;
}

/** The most keys that are looked for in the rollups; for more, all rollups are read. */
const keysSought = 100;

async function readSlice(executor: SqlExecutor, range: TimeRange, question: SummaryQuestion): Promise<Slice> {
  const { gpuKeys } = question.groups;
  const sought = gpuKeys.length > keysSought ? undefined : gpuKeys;
  const withHolders = question.groups.needsHolders;
  const wanted = { range, gpuKeys: sought, metrics: question.metrics, withHolders };
  return { range, ...(await selectRollupHours(executor, wanted)) };
}

/** The decoded keys of rows of rollups: one array for rows of several hours that have the same ones. */
class KnownKeys {
  private readonly lastOf = new Map<number, { readonly bytes: Uint8Array; readonly gpuKeys: Float64Array }>();

  /** Ask for the rows in the order of hours. */
  next(row: RollupsOfHour): Float64Array {
    const { firstKey, keys, entries } = row;
    const last = this.lastOf.get(firstKey);
    if (last !== undefined && (keys === null || Buffer.compare(last.bytes, keys) === 0)) return last.gpuKeys;
    // not a part of all the bytes of a slice, which would then be kept
    const bytes = keys?.slice() ?? new Uint8Array();
    const gpuKeys = decodeNamed(
      () => nameOfRollups(row),
      () => decodeNamedColumn("keys", () => decodeNumbers(bytes, entries)),
    );
    this.lastOf.set(firstKey, { bytes, gpuKeys });
    return gpuKeys;
  }
}

/** The entries of rollups that count, and what they leave to be read from the records. */
class RollupEntries {
  private readonly stale: ReadonlyMap<number, ReadonlySet<number>>;
  private readonly moved: ReadonlyMap<number, ReadonlySet<number>>;

  constructor(
    private readonly slice: Slice,
    private readonly question: SummaryQuestion,
    private readonly rollups: readonly Pick<CountedRollups, "row" | "gpuKeys">[],
  ) {
    const stale = new Map<number, Set<number>>();
    for (const { hour, gpuKey } of slice.open) {
      if (gpuKey === null) continue;
      const ofHour = stale.get(hour);
      if (ofHour === undefined) stale.set(hour, new Set([gpuKey]));
      else ofHour.add(gpuKey);
    }
    this.stale = stale;
    this.moved = question.own.movedIn(slice.range, hourMs);
  }

  async addTo(summaries: Summaries): Promise<void> {
    for (const [index, { row, gpuKeys }] of this.rollups.entries()) {
      if (index > 0 && index % rollupsPerTurn === 0) await turnOfOthers();
      decodeNamed(
        () => nameOfRollups(row),
        () => summaries.addRollups({ row, gpuKeys, isCounted: this.isCounted(row.hour) }),
      );
    }
  }

  /** The hours and GPUs whose records have to be read; those of which nothing is stored may be among them. */
  openParts(): Required<Pick<WantedParts, "gpuKeys" | "range">>[] {
    const { gpuKeys } = this.question.groups;
    const withRows = new Set(this.slice.open.flatMap(({ kind, hour }) => (kind === "rows" ? [hour] : [])));
    const settled = Map.groupBy(this.rollups, ({ row }) => row.hour);
    const parts: Required<Pick<WantedParts, "gpuKeys" | "range">>[] = [];
    const hours = new Set([...withRows, ...this.moved.keys(), ...this.stale.keys()]);
    for (const hour of [...hours].sort((a, b) => a - b)) {
      const isCounted = this.isCounted(hour) ?? (() => true);
      const counted = new Set((settled.get(hour) ?? []).flatMap((rows) => [...rows.gpuKeys].filter(isCounted)));
      const [moved, stale] = [this.moved.get(hour), this.stale.get(hour)];
      // of a GPU whose rollups were lost, there may be blocks
      const isOpen = (key: number): boolean => moved?.has(key) === true || stale?.has(key) === true;
      const open = withRows.has(hour) ? gpuKeys : gpuKeys.filter(isOpen);
      const left = counted.size === 0 ? open : open.filter((key) => !counted.has(key));
      const last = parts.at(-1);
      if (last?.gpuKeys === left && last.range.toMs === hour) {
        parts[parts.length - 1] = { gpuKeys: left, range: { ...last.range, toMs: hour + hourMs } };
      } else if (left.length > 0) parts.push({ gpuKeys: left, range: { fromMs: hour, toMs: hour + hourMs } });
    }
    return parts;
  }

  /** An entry counts if it is not stale, and if all of the hour lies within the bounds.
   *  @returns undefined if all of the hour's count */
  private isCounted(hour: number): CountedRollups["isCounted"] {
    const [stale, moved] = [this.stale.get(hour), this.moved.get(hour)];
    const { own } = this.question;
    if (stale === undefined && !own.restrictsPlaces) return undefined;
    const range = { fromMs: hour, toMs: hour + hourMs };
    return (gpuKey) => stale?.has(gpuKey) !== true && moved?.has(gpuKey) !== true && own.isWithin(gpuKey, range);
  }
}
