import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatTimestamp, parseTimestamp } from "../../src/domain/timestamp.ts";

const instants = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) - 1 });

test("every instant from 2000 to 2099 is unchanged after it is written and read", () => {
  fc.assert(
    fc.property(instants, (ms) => {
      expect(parseTimestamp(formatTimestamp(ms))).toEqual({ ms });
    }),
  );
});

test("an instant is read from texts with and without a zone, and from epoch milliseconds and seconds", () => {
  fc.assert(
    fc.property(instants, fc.integer({ min: -23 * 60, max: 23 * 60 }), (ms, offsetMinutes) => {
      const utc = new Date(ms).toISOString();
      const naive = utc.slice(0, -1);
      const local = new Date(ms + offsetMinutes * 60_000).toISOString().slice(0, -1);
      const [hours, minutes] = [Math.floor(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60];
      const offset = `${offsetMinutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
      const forms = [
        utc,
        naive,
        naive.replace("T", " "),
        naive.replace("T", " ").replaceAll("-", "/"),
        `${local}${offset}`,
        ` ${utc} `,
        utc.replace("Z", "987654Z"),
      ];
      for (const form of forms) expect([form, parseTimestamp(form)]).toEqual([form, { ms }]);
      const epochDigits = String(ms);
      if (epochDigits.length === 13) expect(parseTimestamp(epochDigits)).toEqual({ ms });
      const seconds = Math.floor(ms / 1000);
      if (String(seconds).length === 10) expect(parseTimestamp(String(seconds))).toEqual({ ms: seconds * 1000 });
    }),
  );
});

test("a date is accepted if and only if the calendar has it", () => {
  const two = (n: number): string => String(n).padStart(2, "0");
  fc.assert(
    fc.property(
      fc.integer({ min: 2000, max: 2099 }),
      fc.integer({ min: 0, max: 99 }),
      fc.integer({ min: 0, max: 99 }),
      (year, month, day) => {
        const text = `${year}-${two(month)}-${two(day)}T00:00:00Z`;
        const calendar = new Date(Date.UTC(year, month - 1, day));
        const exists = calendar.getUTCMonth() === month - 1 && calendar.getUTCDate() === day && month > 0;
        expect("ms" in parseTimestamp(text)).toBe(exists);
      },
    ),
  );
});

test.each([
  ["2025-02-30T00:00:00Z", "invalid_timestamp"],
  ["2025-07-18T20:42:60Z", "invalid_timestamp"],
  ["2025-07-18T24:00:00Z", "invalid_timestamp"],
  ["2025-07-18T20:42:34+24:00", "invalid_timestamp"],
  ["2025-07-18", "invalid_timestamp"],
  ["2025-07/18 20:42:34", "invalid_timestamp"],
  ["", "invalid_timestamp"],
  ["175287135", "invalid_timestamp"],
  ["17528713541", "invalid_timestamp"],
  ["1999-12-31T23:59:59Z", "timestamp_out_of_range"],
  ["2100-01-01T00:00:00Z", "timestamp_out_of_range"],
  ["0001-01-01T00:00:00Z", "timestamp_out_of_range"],
  ["9999999999", "timestamp_out_of_range"],
] as const)("%p is refused as %s", (text, reason) => {
  expect(parseTimestamp(text)).toMatchObject({ reason });
});

test("any text gives a result, never an exception", () => {
  fc.assert(fc.property(fc.string(), (text) => "ms" in parseTimestamp(text) || "reason" in parseTimestamp(text)));
});

test("milliseconds are written only if they are not 0", () => {
  expect(formatTimestamp(Date.UTC(2025, 6, 18, 20, 42, 34))).toBe("2025-07-18T20:42:34Z");
  expect(formatTimestamp(Date.UTC(2025, 6, 18, 20, 42, 34, 70))).toBe("2025-07-18T20:42:34.070Z");
});
