import { coverageHourMs, type CoverageFilter } from "../../domain/coverage.ts";

/** Hours and devices of which the coverage is read at once. Windows follow one another in the order of the rows. */
export interface CoverageWindow {
  /** The first and last hour, milliseconds since the epoch. */
  readonly firstHourMs: number;
  readonly lastHourMs: number;
  /** The names of the device before the first one; absent: none. */
  readonly after?: readonly string[];
  /** The number of devices; Infinity for all that follow. */
  readonly devices: number;
}

/** A window without a full page is followed by one that is up to this much larger, so that a range without records has few windows. */
const growth = 16;

/** All hours of a filter. */
export function wholeRange({ range: { fromMs, toMs } }: CoverageFilter): CoverageWindow {
  const firstHourMs = Math.ceil(fromMs / coverageHourMs) * coverageHourMs;
  const lastHourMs = (Math.ceil(toMs / coverageHourMs) - 1) * coverageHourMs;
  return { firstHourMs, lastHourMs, devices: Infinity };
}

/** The window of the first page: as many devices as a page has rows, in one hour or in all of them. */
export function firstWindow(filter: CoverageFilter): CoverageWindow {
  const { after, step, limit } = filter;
  const whole = wholeRange(filter);
  const firstHourMs = step === "hour" ? Math.max(whole.firstHourMs, after?.timeMs ?? 0) : whole.firstHourMs;
  const lastHourMs = step === "hour" ? firstHourMs : whole.lastHourMs;
  const isWithin = step === "total" || after?.timeMs === firstHourMs;
  return { firstHourMs, lastHourMs, devices: limit + 1, ...(after && isWithin && { after: after.group }) };
}

/** The window that follows: large enough for a page, if its hours are like those of the window.
 *  @param last the names of the window's last device; undefined if no device follows
 *  @param rows the number of rows of the window
 *  @returns undefined at the end */
export function nextWindow(
  filter: CoverageFilter,
  window: CoverageWindow,
  { last, rows }: { readonly last: readonly string[] | undefined; readonly rows: number },
): CoverageWindow | undefined {
  if (last !== undefined) return { ...window, after: last, devices: window.devices * growth };
  const whole = wholeRange(filter);
  const firstHourMs = window.lastHourMs + coverageHourMs;
  if (firstHourMs > whole.lastHourMs) return undefined;
  // the devices of several hours are read at once only if all devices of the hours before were
  if (window.after !== undefined) return { firstHourMs, lastHourMs: firstHourMs, devices: filter.limit + 1 };
  const hours = (window.lastHourMs - window.firstHourMs) / coverageHourMs + 1;
  const larger = Math.ceil(hours * Math.min(growth, Math.max(1, filter.limit / Math.max(1, rows))));
  const spanMs = (larger - 1) * coverageHourMs;
  return { firstHourMs, lastHourMs: Math.min(firstHourMs + spanMs, whole.lastHourMs), devices: Infinity };
}
