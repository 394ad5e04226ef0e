import { numberText } from "../../src/promql/number-text.ts";

/** The body of an answer of Prometheus' HTTP API. */
export interface Answer {
  readonly status: "success" | "error";
  readonly errorType?: string;
  readonly error?: string;
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly AnsweredSeries[] | readonly [number, string];
  };
}

interface AnsweredSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

/** Says how two answers differ.
 *  @param isOrdered true: the order of the series counts, too
 *  @returns undefined if they do not */
export function differenceOf(ours: Answer, theirs: Answer, isOrdered: boolean): string | undefined {
  if (ours.status !== theirs.status) return `${textOf(ours)} instead of ${textOf(theirs)}`;
  if (ours.status === "error")
    return ours.errorType === theirs.errorType ? undefined : `${textOf(ours)} instead of ${textOf(theirs)}`;
  const [a, b] = [ours.data, theirs.data];
  if (a?.resultType !== b?.resultType) return `${a?.resultType} instead of ${b?.resultType}`;
  if (a?.resultType === "scalar" || a?.resultType === "string") {
    return isSamePoint(a.result as [number, string], b?.result as [number, string])
      ? undefined
      : `${textOf(ours)} instead of ${textOf(theirs)}`;
  }
  const [left, right] = [sorted(a?.result, isOrdered), sorted(b?.result, isOrdered)];
  if (left.length !== right.length)
    return `${left.length} series instead of ${right.length}: ${textOf(ours)} instead of ${textOf(theirs)}`;
  for (const [index, series] of left.entries()) {
    const other = right[index] as AnsweredSeries;
    if (keyOf(series) !== keyOf(other)) return `${keyOf(series)} instead of ${keyOf(other)}`;
    const [points, expected] = [pointsOf(series), pointsOf(other)];
    if (points.length !== expected.length)
      return `${points.length} points instead of ${expected.length} of ${keyOf(series)}`;
    const wrong = points.findIndex((point, at) => !isSamePoint(point, expected[at] as [number, string]));
    if (wrong >= 0) return `${points[wrong]?.join(" ")} instead of ${expected[wrong]?.join(" ")} of ${keyOf(series)}`;
  }
  return undefined;
}

function sorted(result: unknown, isOrdered: boolean): readonly AnsweredSeries[] {
  const series = (result ?? []) as readonly AnsweredSeries[];
  return isOrdered ? series : series.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

const keyOf = ({ metric }: AnsweredSeries): string =>
  JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
const pointsOf = ({ value, values }: AnsweredSeries) => values ?? (value === undefined ? [] : [value]);
const textOf = (answer: Answer): string => JSON.stringify(answer).slice(0, 300);

/** Equal within 1e-9 of the greater one; the text of an exact number must be the same, too. */
function isSamePoint(a: readonly [number, string], b: readonly [number, string]): boolean {
  if (a[0] !== b[0]) return false;
  if (a[1] === b[1]) return true;
  const [x, y] = [numberOf(a[1]), numberOf(b[1])];
  if (numberText(x) !== a[1]) return false;
  return Number.isFinite(x) && Number.isFinite(y) && Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y), 1e-3);
}

function numberOf(text: string): number {
  return Number(text.replace("Inf", "Infinity"));
}
