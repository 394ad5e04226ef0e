import type { RejectReason } from "./batch.ts";
import { quoted } from "./cut-text.ts";

/** Why a text says no instant. */
export interface TimestampFault {
  readonly fault: Extract<RejectReason, "invalid_timestamp" | "timestamp_out_of_range">;
  /** One sentence with the text and what would be right. */
  readonly message: string;
}

/** An instant, or why the text is none. */
export type ParsedTimestamp = { readonly ms: number } | TimestampFault;

/** An instant of RFC 3339. */
export interface Instant {
  /** Whole milliseconds since the epoch, rounded down. */
  readonly ms: number;
  /** True if it lies between that millisecond and the next. */
  readonly isRounded: boolean;
  /** As it was given. */
  readonly text: string;
}

/** The shapes that telemetry files have, and the one that the API takes; the same groups in both. */
const lenientShape =
  /^(\d{4})([-/])(\d\d)\2(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))?$/;
const rfc3339 = /^(\d{4})(-)(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))$/;
const lostPlus = /[Tt][\d:.]+ \d\d:\d\d$/;
const withoutZone = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?$/;
const withoutTime = /^\d{4}-\d\d-\d\d$/;
const epochSeconds = /^\d{10}$/;
const epochMilliseconds = /^\d{13}$/;

/** Years whose records are stored. */
const firstYear = 2000;
const lastYear = 2099;
/** Instants outside are read as these: no record lies beyond them. */
const earliestMs = Date.UTC(firstYear - 1, 11, 31);
const latestMs = Date.UTC(lastYear + 2, 0, 1);

/** Reads a full RFC 3339 date-time: date, T, time with seconds, zone. A day that the calendar does not have is refused.
 *  Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6 */
export function readInstant(text: string): Instant | { readonly problem: string } {
  const match = rfc3339.exec(text);
  if (match === null) return { problem: shapeProblem(text) };
  const read = instantOf(match);
  if ("problem" in read) return read;
  const [fraction = ""] = match.slice(8);
  return { ms: Math.min(latestMs, Math.max(earliestMs, read.ms)), isRounded: /[1-9]/.test(fraction.slice(3)), text };
}

/** The first whole millisecond that is not before the instant. */
export function firstMsOf({ ms, isRounded }: Instant): number {
  return isRounded ? ms + 1 : ms;
}

/** Reads the instants that telemetry files have: RFC 3339 (also with a blank for the T), the same without a zone
 *  (taken as UTC), nvidia-smi's `2025/07/18 20:42:34.000` (UTC), epoch seconds and milliseconds.
 *  Digits beyond the millisecond are cut. Days that the calendar does not have and second 60 are refused. */
export function parseTimestamp(text: string): ParsedTimestamp {
  const trimmed = text.trim();
  if (epochMilliseconds.test(trimmed)) return inRange(Number(trimmed), trimmed);
  if (epochSeconds.test(trimmed)) return inRange(Number(trimmed) * 1000, trimmed);
  const match = lenientShape.exec(trimmed);
  if (match === null) return invalid(trimmed);
  const read = instantOf(match);
  return "problem" in read ? invalid(trimmed) : inRange(read.ms, trimmed);
}

/** RFC 3339 in UTC; with milliseconds only if there are any: `2025-07-18T20:42:34Z`. */
export function formatTimestamp(ms: number): string {
  const text = new Date(ms).toISOString();
  return ms % 1000 === 0 ? `${text.slice(0, 19)}Z` : text;
}

/** @param match of one of the shapes
 *  @returns years before 100 as 19xx: they are as far out of range as they are */
function instantOf(match: RegExpExecArray): { readonly ms: number } | { readonly problem: string } {
  const [, year, , month, day, hour, minute, second, fraction = "", , sign, zoneHour = "0", zoneMinute = "0"] = match;
  if (Number(month) < 1 || Number(month) > 12) return { problem: `there is no month ${month}` };
  const lastDay = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  if (Number(day) < 1 || Number(day) > lastDay) return { problem: `${year}-${month} has no day ${day}` };
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    return { problem: "there is no such time of day" };
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return { problem: "there is no such zone" };
  const localMs = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const zoneMs = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000 * (sign === "-" ? -1 : 1);
  return { ms: localMs - zoneMs + Number(fraction.slice(0, 3).padEnd(3, "0")) };
}

function shapeProblem(text: string): string {
  if (lostPlus.test(text)) return "a + in a URL means a blank, so the offset lost its sign: write %2B instead of +";
  if (withoutZone.test(text)) return "the zone is missing, and without it the instant is open: end it with Z";
  if (withoutTime.test(text)) return "the time of day is missing";
  return "it is not an RFC 3339 date-time";
}

function inRange(ms: number, text: string): ParsedTimestamp {
  const year = new Date(ms).getUTCFullYear();
  return year >= firstYear && year <= lastYear ? { ms } : outOfRange(text);
}

function outOfRange(text: string): TimestampFault {
  const message = `The timestamp ${quoted(text)} is outside the years ${firstYear} to ${lastYear}.`;
  return { fault: "timestamp_out_of_range", message };
}

function invalid(text: string): TimestampFault {
  const message = `The timestamp ${quoted(text)} is not an instant such as 2025-07-18T20:42:34Z.`;
  return { fault: "invalid_timestamp", message };
}
