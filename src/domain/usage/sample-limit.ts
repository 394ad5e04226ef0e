/** A record counts for at least so long if no other follows: exporters collect every 30 s by default, and a scrape may be missing. */
const leastMs = 60_000;
/** And at most for so long, however rare the records are. */
const mostMs = 15 * 60_000;
const intervals = 3;
/** Of the times between records, so many are not longer than the one that counts as the usual one. A scrape may become several records, a
 *  short time apart, so that most of them are short. */
const usualShare = 0.9;

/** How long a record of a device in an hour counts if no other follows: three times the usual time between its records, within bounds.
 *  @param timesMs the instants of all records of the hour, ascending */
export function sampleLimitMs(timesMs: Float64Array): number {
  const gaps = timesMs.subarray(1).map((timeMs, index) => timeMs - (timesMs[index] as number));
  if (gaps.length === 0) return leastMs;
  const longest = leastMs / intervals;
  const usual = Math.floor(usualShare * (gaps.length - 1));
  // most devices report every few seconds: then the exact time does not matter, and need not be found
  let longer = 0;
  for (const gap of gaps) if (gap > longest) longer += 1;
  if (longer < gaps.length - usual) return leastMs;
  gaps.sort();
  return Math.min(mostMs, Math.max(leastMs, intervals * (gaps[usual] as number)));
}
