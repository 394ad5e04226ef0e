import { counted, figure } from "../text.ts";
import type { Point, SeriesOf } from "./read-series.ts";

/** The statistics of a series, as a line. */
export function statisticsLine(
  { points, summaryOf }: Pick<SeriesOf, "points" | "summaryOf">,
  isCounter: boolean,
): string {
  const whole = together(points);
  const [first, last] = [points[0] as Point, points.at(-1) as Point];
  const rise = isCounter ? `; rose by ${valueText(riseOf(points))}` : "";
  const of = summaryOf === undefined ? "" : ` ${summaryOf}`;
  return (
    `  ${counted(whole.count, "value")}${summaryOf === undefined ? "" : ` in the ${summaryOf}s that begin`} from ${first.at} to ${last.at}: ` +
    `lowest ${valueText(whole.min)}, mean ${valueText(whole.mean)}, highest ${valueText(whole.max)}; ` +
    `first${of} ${valueText(first.mean)}, last${of} ${valueText(last.mean)}${rise}`
  );
}

/** All values and means are rounded alike, so that none is outside the lowest and the highest one. Counters keep their whole numbers. */
function valueText(value: number): string {
  return Math.abs(value) >= 100_000 ? String(Math.round(value)) : figure(value);
}

/** At most so many lines: each value, or the statistics of several that follow each other. */
export function pointLines(points: readonly Point[], maxLines: number): string[] {
  const size = Math.ceil(points.length / maxLines);
  const lines: string[] = [];
  for (let at = 0; at < points.length; at += size) {
    const some = points.slice(at, at + size);
    const { count, min, mean, max } = together(some);
    const [first, last] = [some[0] as Point, some.at(-1) as Point];
    const time = first === last ? first.at : `${first.at} to ${last.at}`;
    lines.push(
      count === 1
        ? `  ${time}: ${valueText(min)}`
        : `  ${time}: mean ${valueText(mean)}, ${valueText(min)} to ${valueText(max)}, ${counted(count, "value")}`,
    );
  }
  return lines;
}

function together(points: readonly Point[]) {
  const count = points.reduce((sum, point) => sum + point.count, 0);
  const mean = points.reduce((sum, point) => sum + point.mean * point.count, 0) / count;
  return {
    count,
    mean,
    min: Math.min(...points.map(({ min }) => min)),
    max: Math.max(...points.map(({ max }) => max)),
  };
}

/** How much a counter rose; after a reset, the whole value counts. */
function riseOf(points: readonly Point[]): number {
  if (points.some(({ increase }) => increase !== undefined)) {
    return points.reduce((sum, { increase = 0 }) => sum + increase, 0);
  }
  return points.slice(1).reduce((sum, { mean }, index) => {
    const before = (points[index] as Point).mean;
    return sum + (mean >= before ? mean - before : mean);
  }, 0);
}
