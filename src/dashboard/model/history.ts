/** A record of a device's history. Averages have the lowest and the highest value that they are made of. */
export interface HistoryRecord {
  readonly timeMs: number;
  readonly values: Readonly<Partial<Record<string, unknown>>>;
  readonly lowest?: Readonly<Partial<Record<string, number>>>;
  readonly highest?: Readonly<Partial<Record<string, number>>>;
}

/** A value of a metric, or an average with its extremes. */
export interface Point {
  readonly timeMs: number;
  readonly value: number;
  readonly lowest: number;
  readonly highest: number;
}

/** A metric over time: its values in the order of their times, without those that are absent. */
export type Points = readonly Point[];

/** The values of a metric in some records, which are in the order of their times. */
export function pointsOf(records: readonly HistoryRecord[], metric: string): Point[] {
  return records.flatMap((record) => {
    const value = record.values[metric];
    if (typeof value !== "number") return [];
    const [lowest, highest] = [record.lowest?.[metric] ?? value, record.highest?.[metric] ?? value];
    return [{ timeMs: record.timeMs, value, lowest, highest }];
  });
}

/** A record again, when more of its metrics have arrived, takes the place of what was known of it. An old one changes nothing. */
export function withRecord(records: readonly HistoryRecord[], record: HistoryRecord): readonly HistoryRecord[] {
  const last = records.at(-1);
  if (last === undefined || record.timeMs > last.timeMs) return [...records, record];
  return record.timeMs < last.timeMs ? records : [...records.slice(0, -1), record];
}

/** So many steps without a value are a gap. A reading that is a little late leaves no gap. */
const gapSteps = 2.5;
/** Readings that arrive more often than once a second are not expected of any source. */
const leastStepMs = 1000;
/** The step is learned from the last values, as the source's interval may have changed. */
const learnedFrom = 100;

/** The time without values after which there is a gap.
 *  @param stepMs the time between averages; undefined: it is learned from the values */
export function gapAfterMs(points: Points, stepMs: number | undefined): number {
  if (stepMs !== undefined) return stepMs * 1.5;
  const last = points.slice(-learnedFrom);
  const steps = last.slice(1).map(({ timeMs }, index) => timeMs - (last[index]?.timeMs ?? timeMs));
  const [median = Infinity] = steps.toSorted((a, b) => a - b).slice(Math.floor(steps.length / 2));
  return gapSteps * Math.max(leastStepMs, median);
}

/** The intervals without values between values. */
export function gapsOf(points: Points, gapMs: number): readonly { readonly fromMs: number; readonly toMs: number }[] {
  return points.slice(1).flatMap(({ timeMs: toMs }, index) => {
    const fromMs = points[index]?.timeMs ?? toMs;
    return toMs - fromMs > gapMs ? [{ fromMs, toMs }] : [];
  });
}

/** What a chart draws: times in seconds, and a null in each gap. */
export type ChartData = [times: number[], values: Column, lowest: Column, highest: Column];
type Column = (number | null)[];

/** The values of a chart, with a null in the middle of each gap. */
export function chartDataOf(points: Points, gapMs: number): ChartData {
  const data: ChartData = [[], [], [], []];
  let beforeMs = Infinity;
  for (const { timeMs, value, lowest, highest } of points) {
    if (timeMs - beforeMs > gapMs) push(data, (timeMs + beforeMs) / 2, [null, null, null]);
    push(data, timeMs, [value, lowest, highest]);
    beforeMs = timeMs;
  }
  return data;
}

function push(data: ChartData, timeMs: number, values: readonly [number | null, number | null, number | null]): void {
  data[0].push(timeMs / 1000);
  data[1].push(values[0]);
  data[2].push(values[1]);
  data[3].push(values[2]);
}

/** The point nearest to an instant, if it is not in a gap. */
export function pointAt(points: Points, timeMs: number, gapMs: number): Point | undefined {
  let nearest: Point | undefined;
  for (const point of points) {
    if (nearest !== undefined && Math.abs(point.timeMs - timeMs) >= Math.abs(nearest.timeMs - timeMs)) break;
    nearest = point;
  }
  return nearest !== undefined && Math.abs(nearest.timeMs - timeMs) <= gapMs ? nearest : undefined;
}

/** The figures of a chart. */
export interface SeriesFigures {
  readonly newest: number;
  readonly lowest: number;
  readonly highest: number;
  readonly gaps: number;
}

/** @returns undefined without values */
export function figuresOf(points: Points, gapMs: number): SeriesFigures | undefined {
  const newest = points.at(-1);
  if (newest === undefined) return undefined;
  return {
    newest: newest.value,
    lowest: points.reduce((least, point) => Math.min(least, point.lowest), Infinity),
    highest: points.reduce((most, point) => Math.max(most, point.highest), -Infinity),
    gaps: gapsOf(points, gapMs).length,
  };
}
