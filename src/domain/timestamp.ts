import type { RejectReason } from "./batch.ts";

/** Why a text says no instant. */
export interface TimestampFault {
  readonly fault: Extract<RejectReason, "invalid_timestamp" | "timestamp_out_of_range">;
  /** One sentence with the text and what would be right. */
  readonly message: string;
}

/** An instant, or why the text is none. */
export type ParsedTimestamp = { readonly ms: number } | TimestampFault;

const dateTime =
  /^(\d{4})([-/])(\d\d)\2(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))?$/;
const epochSeconds = /^\d{10}$/;
const epochMilliseconds = /^\d{13}$/;
const firstYear = 2000;
const lastYear = 2099;
const shownMaxLength = 60;

/** Reads the instants that telemetry files have: RFC 3339 (also with a blank for the T), the same without a zone
 *  (taken as UTC), nvidia-smi's `2025/07/18 20:42:34.000` (UTC), epoch seconds and milliseconds.
 *  Digits beyond the millisecond are cut. Days that the calendar does not have and second 60 are refused. */
export function parseTimestamp(text: string): ParsedTimestamp {
  const trimmed = text.trim();
  if (epochMilliseconds.test(trimmed)) return inRange(Number(trimmed), trimmed);
  if (epochSeconds.test(trimmed)) return inRange(Number(trimmed) * 1000, trimmed);
  const match = dateTime.exec(trimmed);
  if (match === null) return invalid(trimmed);
  const [, year, , month, day, hour, minute, second, fraction = "", , sign, zoneHour = "0", zoneMinute = "0"] = match;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return invalid(trimmed);
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return invalid(trimmed);
  const midnightMs = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const date = new Date(midnightMs);
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return invalid(trimmed);
  if (Number(year) < 100) return outOfRange(trimmed); // Date.UTC reads years below 100 as 19xx
  const timeMs = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000;
  const zoneMs = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000 * (sign === "-" ? -1 : 1);
  return inRange(midnightMs + timeMs - zoneMs + Number(fraction.slice(0, 3).padEnd(3, "0")), trimmed);
}

/** RFC 3339 in UTC; milliseconds only where there are any: `2025-07-18T20:42:34Z`. */
export function formatTimestamp(ms: number): string {
  const text = new Date(ms).toISOString();
  return ms % 1000 === 0 ? `${text.slice(0, 19)}Z` : text;
}

function inRange(ms: number, text: string): ParsedTimestamp {
  const year = new Date(ms).getUTCFullYear();
  return year >= firstYear && year <= lastYear ? { ms } : outOfRange(text);
}

function outOfRange(text: string): TimestampFault {
  const message = `The timestamp ${shown(text)} is outside the years ${firstYear} to ${lastYear}.`;
  return { fault: "timestamp_out_of_range", message };
}

function invalid(text: string): TimestampFault {
  const message = `The timestamp ${shown(text)} is not an instant such as 2025-07-18T20:42:34Z.`;
  return { fault: "invalid_timestamp", message };
}

/** A text as messages show it: in quotes, cut. */
function shown(text: string): string {
  return JSON.stringify(text.length > shownMaxLength ? `${text.slice(0, shownMaxLength)}...` : text);
}
