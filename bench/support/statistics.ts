/** The value below which a share of the values lies; NaN without values.
 *  @param share  0 to 1 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** The middle value, or the upper one of two middle values; NaN without values. */
export const median = (values: readonly number[]): number => quantile(values, 0.5);
