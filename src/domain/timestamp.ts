import type { RejectReason } from "./batch.ts";
import { quoted } from "./cut-text.ts";
import { millisecondsOfEpoch } from "./epoch-text.ts";

/** The error of a text that is not an instant in the accepted years. */
export interface TimestampError {
  readonly reason: Extract<RejectReason, "invalid_timestamp" | "timestamp_out_of_range">;
  /** One sentence with the text, and with the accepted forms or years. */
  readonly message: string;
}

/** An instant in the accepted years, or an error. */
export type ParsedTimestamp = { readonly ms: number } | TimestampError;

/** An instant that a client gave as an RFC 3339 date-time. */
export interface Instant {
  /** Whole milliseconds since the epoch, rounded down, and limited to the range from `earliestMs` to `latestMs`. */
  readonly ms: number;
  /** True if the client's instant lies between two milliseconds. */
  readonly isRounded: boolean;
  /** The date-time as the client gave it. */
  readonly text: string;
}

/** The shape of timestamps in telemetry files, and the shape that the API accepts (`rfc3339`). Both expressions have the same
 *  groups. */
const lenientShape =
  /^(\d{4})([-/])(\d\d)\2(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?: ?(Z|UTC|GMT)| ?([+-])(\d\d)(?::?(\d\d))?(?: [A-Z]{3,5})?)?$/i;
/** ISO 8601's basic form, `20250718T204234Z`. */
const basicShape = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(.*)$/i;
const rfc3339 = /^(\d{4})(-)(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))$/;
const lostPlus = /[Tt][\d:.]+ \d\d:\d\d$/;
const withoutZone = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?$/;
const withoutTime = /^\d{4}-\d\d-\d\d$/;
/** `18.07.2025`, `07/18/25`: programs write the day or the month first. */
const yearLast = /^\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d\d)(?!\d)/;

/** The forms of `parseTimestamp`, for messages. */
const forms =
  "2025-07-18T20:42:34.123Z (also with a space for the T, a comma for the point, and a zone such as +02, +0200 or UTC; without a " +
  "zone it is UTC), 2025/07/18 20:42:34 (UTC), or seconds, milliseconds, microseconds or nanoseconds since 1970";

/** The first and the last year whose records are stored. */
const firstYear = 2000;
const lastYear = 2099;
/** `readInstant` replaces an earlier or later instant with the nearer of these two, because no record lies beyond them. */
const earliestMs = Date.UTC(firstYear - 1, 11, 31);
const latestMs = Date.UTC(lastYear + 2, 0, 1);

/** Reads a full RFC 3339 date-time: date, T, time with seconds, zone. Days that the calendar does not have and
 *  second 60 are refused.
 *  Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
 *  @returns the instant, or the reason why the text is not usable */
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

/** Reads the instants that telemetry files have: RFC 3339 and what databases, loggers and languages write in its place (a space
 *  for the T, a comma for the point, a zone without minutes or colon, `UTC`, ISO 8601's basic form), the same without a zone (read as
 *  UTC), nvidia-smi's `2025/07/18 20:42:34.000` (UTC), and numbers since the epoch (see `millisecondsOfEpoch`).
 *  Digits beyond the millisecond are cut. Days that the calendar does not have and second 60 are refused, and so are dates that
 *  do not begin with the year. */
export function parseTimestamp(text: string): ParsedTimestamp {
  const trimmed = text.trim();
  const match = lenientShape.exec(trimmed) ?? lenientShape.exec(trimmed.replace(basicShape, "$1-$2-$3T$4:$5:$6$7"));
  if (match !== null) {
    const read = instantOf(match);
    return "problem" in read ? impossible(trimmed, read.problem) : timestampOfMs(read.ms, trimmed);
  }
  const ms = millisecondsOfEpoch(trimmed, earliestMs);
  if (ms === "rounded") return rounded(trimmed);
  return ms === undefined ? invalid(trimmed) : timestampOfMs(ms, trimmed);
}

const dayMs = 86_400_000;
const twoDigits = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, "0"));
/** The last day that was formatted. */
const knownDay = { day: NaN, text: "" };

/** Formats an instant as RFC 3339 in UTC, with milliseconds only if they are not 0: `2025-07-18T20:42:34Z`. The instants of an answer
 *  are mostly of one day, which is formatted once. */
export function formatTimestamp(ms: number): string {
  if (ms % 1000 !== 0) return new Date(ms).toISOString();
  const day = Math.floor(ms / dayMs);
  if (day !== knownDay.day) {
    // years beyond 9999 have more digits
    const text = new Date(ms).toISOString();
    knownDay.text = text.slice(0, text.indexOf("T") + 1);
    knownDay.day = day;
  }
  const second = (ms - day * dayMs) / 1000;
  const minute = Math.floor(second / 60);
  return `${knownDay.text}${twoDigits[Math.floor(minute / 60)]}:${twoDigits[minute % 60]}:${twoDigits[second % 60]}Z`;
}

/** @param match of one of the shapes
 *  @returns the instant, or the reason why there is none; a year below 100 is read as 19xx, which is also before `firstYear` */
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
  if (lostPlus.test(text)) return "a + in a URL means a space, so the offset lost its sign: write %2B instead of +";
  if (withoutZone.test(text)) return "the zone is missing: end it with Z for UTC";
  if (withoutTime.test(text)) return "the time of day is missing";
  return "it is not an RFC 3339 date-time";
}

/** The instant, if it lies in the accepted years.
 *  @param ms milliseconds since the epoch
 *  @param text as the input has it, for the message */
export function timestampOfMs(ms: number, text: string): ParsedTimestamp {
  const year = new Date(ms).getUTCFullYear();
  return year >= firstYear && year <= lastYear ? { ms } : outOfRange(text);
}

function outOfRange(text: string): TimestampError {
  const message = `The timestamp ${quoted(text)} is outside the years ${firstYear} to ${lastYear}.`;
  return { reason: "timestamp_out_of_range", message };
}

function impossible(text: string, problem: string): TimestampError {
  return { reason: "invalid_timestamp", message: `The timestamp ${quoted(text)} is no instant: ${problem}.` };
}

function rounded(text: string): TimestampError {
  const message = `The timestamp ${quoted(text)} was rounded when it was written, so its instant is lost; write all of its digits.`;
  return { reason: "invalid_timestamp", message };
}

function invalid(text: string): TimestampError {
  const problem = yearLast.test(text)
    ? "does not tell its day from its month; the forms that are read begin with the year"
    : "is in none of the forms that are read";
  return { reason: "invalid_timestamp", message: `The timestamp ${quoted(text)} ${problem}: ${forms}.` };
}
