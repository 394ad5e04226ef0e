import { noValue } from "./format.ts";

/** What the API says of how much is there. */
export interface CoverageCounts {
  readonly expected?: number;
  readonly received: number;
  readonly missing: number;
  readonly missed: Readonly<Record<string, number>>;
  readonly maintenance: number;
}

/** The share of what was due that is there. All of it is 100 %, and nothing less is. */
export function shareText(counts: CoverageCounts | undefined): string {
  const { expected, missing = 0 } = counts ?? {};
  if (expected === undefined || expected === 0) return noValue;
  const share = (100 * (expected - missing)) / expected;
  return `${Math.floor(share * 100) / 100} %`;
}

/** What is missing, by its reasons, the most frequent one first. */
export function missedText(counts: CoverageCounts | undefined): string {
  if (counts === undefined) return "nothing was due";
  const { expected, received, missing, missed, maintenance } = counts;
  const reasons = Object.entries(missed)
    .toSorted(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${count} ${reason}`);
  return [
    expected === undefined
      ? `${received} received; how many were due is not known`
      : `${received} of ${expected} readings`,
    ...(missing > 0 ? [`missing: ${reasons.join(", ")}`] : []),
    ...(maintenance > 0 ? [`${maintenance} under maintenance`] : []),
  ].join("; ");
}
