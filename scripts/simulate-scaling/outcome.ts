/** The state of the pipeline during one second. */
export interface Second {
  readonly load: number;
  readonly collectors: number;
  readonly desired: number;
  /** The collectors that an ideal scaler would have. */
  readonly ideal: number;
  readonly ageSeconds: number;
}

/** What a curve led to. */
export interface Outcome {
  readonly seconds: readonly Second[];
  /** The decisions that changed the count, and the holds with another code than the one before. */
  readonly decisions: readonly { readonly second: number; readonly desired: number; readonly code: string }[];
  /** Changes of direction, from up to down or from down to up. */
  readonly reversals: readonly number[];
  readonly overTargetSeconds: number;
  readonly instanceSeconds: number;
  readonly idealInstanceSeconds: number;
  /** Messages that streamers published, as a share of those that the sources had; they publish less while the queue is full. */
  readonly publishedShare: number;
}

/** The largest number of reversals within ten minutes. */
export function reversalsInTenMinutes({ reversals }: Outcome): number {
  return Math.max(0, ...reversals.map((from) => reversals.filter((at) => at >= from && at < from + 600).length));
}

/** The seconds from `from` until the oldest message is younger than `ageSeconds` and stays so until `to`. */
export function secondsUntilYounger(
  outcome: Outcome,
  ageSeconds: number,
  [from, to]: readonly [number, number],
): number {
  const part = outcome.seconds.slice(from, to);
  return part.findLastIndex((second) => second.ageSeconds >= ageSeconds) + 1;
}

/** The largest number of collectors that was decided in a time. */
export function mostDesired({ seconds }: Outcome, [from, to]: readonly [number, number]): number {
  return Math.max(...seconds.slice(from, to).map(({ desired }) => desired));
}
