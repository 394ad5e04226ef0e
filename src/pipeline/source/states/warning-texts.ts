import { formatTimestamp } from "../../../domain/timestamp.ts";
import type { OffTime } from "../exposition/added-samples.ts";

/** Scrapes that were missed together. */
interface MissedTogether {
  readonly count: number;
  /** The scheduled time of the last of them. */
  readonly timeMs: number;
  readonly failure: { readonly message: string };
}

/** Warns of an answer that was probably cut off. */
export const cutText = "its answer ends in the middle of a line and may have been cut off; that line is not used";

/** Warns of an exporter that repeats old readings. */
export function frozenText({ frozen, devices }: { readonly frozen: number; readonly devices: number }): string {
  return `the readings of ${frozen} of ${devices} devices do not change although they are busy, or carry the same old time; the exporter repeats old ones`;
}

/** Warns of samples that carry a wrong or an old time.
 *  @param scrapeMs the time of the scrape */
export function offTimeText({ samples, timeMs }: OffTime, scrapeMs: number): string {
  const time = formatTimestamp(timeMs);
  const span = spanText(Math.abs(scrapeMs - timeMs));
  const cause = "the exporter's clock is wrong, or it repeats old values";
  return timeMs < scrapeMs
    ? `${samples} samples carry times such as ${time}, ${span} before the scrape, and are stored there: ${cause}`
    : `${samples} samples carry times such as ${time}, ${span} after the scrape, and are stored at the scrape's time: the exporter's clock is wrong`;
}

/** Says which scrapes the pipeline itself has missed. */
export function ownFaultText({ count, timeMs, failure }: MissedTogether): string {
  const scrapes = count === 1 ? "1 scrape was" : `${count} scrapes were`;
  return `${scrapes} missed until ${formatTimestamp(timeMs)} by the pipeline, not by the target: ${failure.message}`;
}

function spanText(ms: number): string {
  const [minutes, hours, days] = [60_000, 3_600_000, 86_400_000].map((unitMs) => Math.round(ms / unitMs));
  if ((days ?? 0) > 1) return `${days} days`;
  return (hours ?? 0) > 1 ? `${hours} hours` : `${minutes} minutes`;
}
