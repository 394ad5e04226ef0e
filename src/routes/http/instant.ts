/** An instant of a query, or what is wrong with the text. */
export type QueryInstant =
  | {
      /** Whole milliseconds since the epoch, rounded down. */
      readonly epochMs: number;
      /** True where it lies between two milliseconds. */
      readonly hasMore: boolean;
    }
  | { readonly problem: string };

/** Earliest and latest instant that is told apart: no record lies outside. */
const earliestMs = Date.UTC(1999, 11, 31);
const latestMs = Date.UTC(2101, 0, 1);

const dateTime = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const lostPlus = /[Tt][\d:.]+ \d\d:\d\d$/;
const withoutZone = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?$/;
const withoutTime = /^\d{4}-\d\d-\d\d$/;

/** Reads a full RFC 3339 date-time: date, T, time with seconds, zone; days that the calendar does not have are
 *  refused.
 *  Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6 */
export function readInstant(text: string): QueryInstant {
  const match = dateTime.exec(text);
  if (match === null) return { problem: shapeProblem(text) };
  const [, year, month, day, hour, minute, second, fraction = "", sign, zoneHour = "0", zoneMinute = "0"] = match;
  const lastDay = new Date(Date.UTC(2000 + (Number(year) % 400), Number(month), 0)).getUTCDate();
  if (Number(month) < 1 || Number(month) > 12) return { problem: `there is no month ${month}` };
  if (Number(day) < 1 || Number(day) > lastDay) return { problem: `${year}-${month} has no day ${day}` };
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59)
    return { problem: "there is no such time of day" };
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return { problem: "there is no such zone" };
  const localMs = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const zoneMs = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000 * (sign === "-" ? -1 : 1);
  // Date.UTC reads the years 0 to 99 as 19xx, which are as far out of range as they are.
  const epochMs = localMs - zoneMs + Number(fraction.slice(0, 3).padEnd(3, "0"));
  return { epochMs: Math.min(latestMs, Math.max(earliestMs, epochMs)), hasMore: /[1-9]/.test(fraction.slice(3)) };
}

function shapeProblem(text: string): string {
  if (lostPlus.test(text)) return "a + in a URL means a blank, so the offset lost its sign: write %2B instead of +";
  if (withoutZone.test(text)) return "the zone is missing, and without it the instant is open: end it with Z";
  if (withoutTime.test(text)) return "the time of day is missing";
  return "it is not an RFC 3339 date-time";
}
