import { expect, test } from "bun:test";
import { readEnvelope } from "../../src/pipeline/queue/etcd/envelope.ts";
import {
  latestText,
  rangeText,
  readLatest,
  readPlan,
  readRange,
} from "../../src/pipeline/stream/assignment/stored-plan.ts";

// Documents in etcd that two versions share: this one reads what a newer one wrote, without the fields that it does not know.

const newer = (text: string): Buffer =>
  Buffer.from(JSON.stringify({ ...(JSON.parse(text) as object), newer: { a: 1 } }));

test("the envelope of a message, a plan, a range and the time of a live source are read with fields of a newer version", () => {
  const at = { offset: 1, line: 2 };
  const envelope = {
    ...{ id: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2", topic: "t", idempotency_key: "k", trace_id: "t", schema_version: "v2" },
    ...{ created_at: "2025-07-18T20:42:34Z", count: 1, encoding: "json", source: { id: "s", from: at, to: at } },
  };
  expect(readEnvelope(newer(JSON.stringify(envelope)))).toMatchObject({ schemaVersion: "v2", source: { to: at } });
  const plan = { state: "cut", cut_to: at } as const;
  expect(readPlan(newer(JSON.stringify(plan)))).toMatchObject(plan);
  const range = { from: at, to: { offset: 9, line: 9 }, at };
  expect(readRange(newer(rangeText(range)))).toEqual(range);
  expect(readLatest(newer(latestText(1000)))).toBe(1000);
});
