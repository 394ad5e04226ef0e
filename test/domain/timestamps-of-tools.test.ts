import { describe, expect, test } from "bun:test";
import { parseTimestamp } from "../../src/domain/timestamp.ts";

const ms = Date.UTC(2026, 2, 1, 12, 0, 4, 123);
const secondMs = Date.UTC(2026, 2, 1, 12, 0, 4);

/** The text that a program writes for an instant, and the milliseconds that are read. */
const taken: readonly (readonly [program: string, text: string, ms: number])[] = [
  ["psql", "2026-03-01 12:00:04+00", secondMs],
  ["psql with microseconds", "2026-03-01 14:00:04.123456+02", ms],
  ["psql in a zone with minutes", "2026-03-01 17:30:04.123+05:30", ms],
  ["strftime", "2026-03-01T12:00:04+0000", secondMs],
  ["Ruby", "2026-03-01 12:00:04 +0000", secondMs],
  ["Go", "2026-03-01 13:00:04.123456789 +0100 CET", ms],
  ["BigQuery", "2026-03-01 12:00:04.123 UTC", ms],
  ["Java", "2026-03-01T12:00:04.1234567890Z", ms],
  ["Python's logging", "2026-03-01 12:00:04,123", ms],
  ["log4j in UTC", "2026-03-01T12:00:04,123Z", ms],
  ["nvidia-smi", "2026/03/01 12:00:04.123", ms],
  ["ISO 8601's basic form", "20260301T120004.123Z", ms],
  ["Prometheus, seconds with a fraction", "1772366404.123", ms],
  ["Prometheus, an exponent", "1.772366404123e+09", ms],
  ["jq, an exponent of milliseconds", "1.772366404123e12", ms],
  ["pandas, a float of milliseconds", "1772366404123.0", ms],
  ["telegraf, microseconds", "1772366404123456", ms],
  ["influx, nanoseconds", "1772366404123999999", ms],
  ["numpy, nanoseconds with an exponent", "1.772366404123999999e+18", ms],
  ["seconds before September 2001", "946684800", Date.UTC(2000, 0, 1)],
  ["nanoseconds before September 2001", "946684800000000000", Date.UTC(2000, 0, 1)],
  ["the last millisecond, in microseconds", "4102444799999999", Date.UTC(2100, 0, 1) - 1],
];

describe("an instant is read as a program writes it", () => {
  test.each(taken)("%s: %s", (_program, text, expected) => {
    expect(parseTimestamp(text)).toEqual({ ms: expected });
    expect(parseTimestamp(` ${text} `)).toEqual({ ms: expected });
  });
});

/** What is refused, and a part of the message. */
const refused: readonly (readonly [text: string, problem: string])[] = [
  ["18.07.2025 20:42:34", "does not tell its day from its month"],
  ["07/18/2025 20:42:34", "does not tell its day from its month"],
  ["1-3-26 12:00", "does not tell its day from its month"],
  ["2026-02-30 12:00:00", "is no instant: 2026-02 has no day 30"],
  ["20261301T000000Z", "is no instant: there is no month 13"],
  ["1.77237E+12", "was rounded when it was written"],
  ["1.77e9", "was rounded when it was written"],
  ["1.772366e+09", "was rounded when it was written"],
  ["1.772366E12", "was rounded when it was written"],
  ["46082.5", "is in none of the forms that are read"],
  ["175287135", "is in none of the forms that are read"],
  ["17723664041", "is in none of the forms that are read"],
  ["94668479", "is in none of the forms that are read"],
  ["-1772366404", "is in none of the forms that are read"],
  ["2026-03-01 12:00", "is in none of the forms that are read"],
  ["2026-03-01 12:00:04 CET", "is in none of the forms that are read"],
  ["Sun, 01 Mar 2026 12:00:04 GMT", "is in none of the forms that are read"],
  ["1,772366404e9", "is in none of the forms that are read"],
];

test.each(refused)("%s is refused, never guessed", (text, problem) => {
  expect(parseTimestamp(text)).toMatchObject({
    reason: "invalid_timestamp",
    message: expect.stringContaining(problem) as string,
  });
});

test("the message of a form that is not read lists the forms that are, and each of them is read", () => {
  const read = parseTimestamp("yesterday");
  const message = "message" in read ? read.message : "";
  expect(message).toContain("seconds, milliseconds, microseconds or nanoseconds since 1970");
  const examples = message.match(/20\d\d[-/]\S+(?: [\d:.]+)?/g) ?? [];
  expect(examples).toHaveLength(2);
  for (const example of examples)
    expect([example, parseTimestamp(example)]).toMatchObject([example, { ms: expect.any(Number) as number }]);
});
