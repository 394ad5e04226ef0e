import { expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { positionSchema } from "../../src/domain/range.ts";
import { envelopeText, readEnvelope } from "../../src/pipeline/queue/etcd/envelope.ts";
import type { MessageEnvelope } from "../../src/pipeline/queue/queue.ts";

// While processes of two versions share a queue, each reads what the other has published.

/** An envelope as the version before traces declared it. */
const earlierEnvelope = Type.Object({
  ...{ id: Type.String(), topic: Type.String(), idempotency_key: Type.String(), trace_id: Type.String() },
  ...{ schema_version: Type.String(), created_at: Type.String(), count: Type.Number(), encoding: Type.String() },
  source: Type.Object({ id: Type.String(), from: positionSchema, to: positionSchema }),
});
const envelope: MessageEnvelope = {
  ...{ id: "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2", topic: "t", idempotencyKey: "k", traceId: "a".repeat(32) },
  ...{ schemaVersion: "v1", encoding: "json+zstd", count: 1, createdAtMs: 1_752_871_354_000 },
  source: { sourceId: "s", from: { offset: 0, line: 0 }, to: { offset: 1, line: 1 } },
};
const recorded: MessageEnvelope = { ...envelope, traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` };

test("an earlier version reads the envelope of a recorded message", () => {
  expect(Value.Check(earlierEnvelope, JSON.parse(envelopeText(recorded)))).toBe(true);
  expect(readEnvelope(Buffer.from(envelopeText(recorded)))).toEqual(recorded);
});

test("an envelope of an earlier version has a UUID as its trace's id, and no trace that goes on", () => {
  const text = envelopeText({ ...envelope, traceId: "0b0f7f1e-3f7e-4a9e-9a58-2a3f5c1d9e77" });
  expect(text).not.toContain("traceparent");
  expect(readEnvelope(Buffer.from(text))?.traceparent).toBeUndefined();
});
