import { expect, test } from "bun:test";
import { checkSent } from "./harness/subscribers/check-sent.ts";
import type { Sent } from "./harness/subscribers/subscriber.ts";
import { uuidOf } from "./harness/told/script.ts";

const uuid = uuidOf(0);
const readings = [1, 2, 3, 4].map((second) => ({ timeMs: second * 1000, gpus: [{ temperature: 60 + second }] }));
const record = (second: number, temperature = 60 + second): Sent => ({
  ...{ gpu_uuid: uuid, timestamp: new Date(second * 1000).toISOString(), data: { temperature } },
});
const check = (...sent: Sent[]): string[] => checkSent([{ name: "a", sent }], readings, [uuid]);

test("a subscriber may come late, and get a record twice", () => {
  expect(check(record(2), record(3), record(3), record(4))).toEqual([]);
});

test("a record that was not sent to a subscriber is a violation, unless the subscriber was told of the gap before the next record", () => {
  const missed = `I12: a, ${uuid}: it was not sent the record of 1970-01-01T00:00:02.000Z, and was told of no gap`;
  expect(check(record(1), record(3), record(4))).toEqual([missed]);
  expect(check(record(1), record(3), "gap", record(4))).toEqual([missed]);
  expect(check("gap", record(1), record(3), record(4))).toEqual([missed]);
  expect(check(record(1), "gap", record(3), record(4))).toEqual([]);
});

test("a last record that is missing, a value that was not reported and silence are violations", () => {
  expect(check(record(3))).toEqual([expect.stringContaining("00:00:04.000Z, and was told of no gap")]);
  expect(check(record(3), record(4, 99))).toEqual([expect.stringContaining("which the GPU has not reported")]);
  expect(check()).toEqual([`I12: a, ${uuid}: it was sent no record`]);
});
