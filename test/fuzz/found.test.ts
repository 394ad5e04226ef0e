import { expect, test } from "bun:test";
import { deadLetterText, readDeadLetter, readEnvelope } from "../../src/pipeline/queue/etcd/envelope.ts";

// What the fuzzer has found, and no other test has.

const id = "01K0F3Z8Q4W5X6Y7Z8A9B0C1D2";
const at = "2025-07-18T20:42:34.000Z";
const position = { offset: 10, line: 2 };
const envelope = {
  ...{ id, topic: "t", idempotency_key: "k", trace_id: "x", schema_version: "v1", created_at: at, count: 1 },
  ...{ encoding: "json", source: { id: "csv:a", from: position, to: position } },
};
const letter = { ...envelope, attempts: 3, last_error: "e", dead_at: at };
const bytesOf = (value: object): Buffer => Buffer.from(JSON.stringify(value));

test("an envelope in etcd without a time is unreadable; it did not fail only when it was written again", () => {
  expect(readEnvelope(bytesOf(envelope))?.id).toBe(id);
  expect(readEnvelope(bytesOf({ ...envelope, created_at: "T" }))).toBeUndefined();
});

test("a dead letter in etcd without a time can be listed", () => {
  for (const damaged of [{ dead_at: "T" }, { created_at: "x" }]) {
    const read = readDeadLetter(id, bytesOf({ ...letter, ...damaged }));
    expect(read.lastError).toStartWith("this dead letter cannot be read");
    expect(() => deadLetterText(read)).not.toThrow();
  }
  expect(readDeadLetter(id, bytesOf(letter)).lastError).toBe("e");
});
