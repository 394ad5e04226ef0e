/** The value at a place in the sorted order; NaN without values.
 *  @param share  the place: 0 for the smallest value, 0.5 for the middle, 1 for the largest value */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** The middle value, or the upper one of two middle values; NaN without values. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);
