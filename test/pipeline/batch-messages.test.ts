import { expect, test } from "bun:test";
import { keyedByInstant, keyedByRange, messagesOf } from "../../src/pipeline/stream/batch-messages.ts";
import { decodePayload } from "../../src/pipeline/queue/batch-codec.ts";
import { makeBatch } from "../../dev/make-batch.ts";

const range = { sourceId: "file", from: { offset: 100, line: 2 }, to: { offset: 900, line: 42 } };
const batch = makeBatch(
  Array.from({ length: 200 }, (_, index) => ({
    uuid: `GPU-${index % 7}`,
    timeMs: Date.UTC(2025, 0, 1) + index,
    metrics: { power_draw: Math.sin(index) * 1000, temperature: index % 90 },
  })),
);

test("a batch that fits is one message, whose key names the range of the source", () => {
  const [{ message, tally } = { message: undefined, tally: undefined }, ...others] = messagesOf(
    keyedByRange({ range, batch }),
    Infinity,
  );
  expect(others).toEqual([]);
  expect(message).toMatchObject({ idempotencyKey: "file:100-900", count: 200, source: range });
  expect(tally).toEqual(batch.tally);
});

test("a batch that is too large becomes several messages; only the last of them advances the source's position", () => {
  const whole = messagesOf(keyedByRange({ range, batch }), Infinity)[0]?.message.payload.length ?? 0;
  const limit = Math.ceil(whole / 3);
  const outgoing = messagesOf(keyedByRange({ range, batch }), limit);
  expect(outgoing.length).toBeGreaterThan(2);
  expect(outgoing.every(({ message }) => message.payload.length <= limit)).toBe(true);
  expect(new Set(outgoing.map(({ message }) => message.idempotencyKey)).size).toBe(outgoing.length);
  expect(outgoing.map(({ message }) => message.source.to.offset)).toEqual([...outgoing.slice(1).map(() => 100), 900]);
  expect(outgoing.map(({ message }) => message.continues ?? false)).toEqual([
    ...outgoing.slice(1).map(() => true),
    false,
  ]);
  const decoded = outgoing.map(({ message }) => decodePayload(message));
  expect(decoded.reduce((sum, { recordCount }) => sum + recordCount, 0)).toBe(200);
  expect(decoded.reduce((sum, { tally }) => sum + tally.samples, 0)).toBe(batch.tally.samples);
  expect(decoded.reduce((sum, { tally }) => sum + tally.rows, 0)).toBe(batch.tally.rows);
});

test("the same batch always makes messages with the same keys", () => {
  const keysOf = () => messagesOf(keyedByRange({ range, batch }), 800).map(({ message }) => message.idempotencyKey);
  expect(keysOf()).toEqual(keysOf());
});

test("a live batch that fits keeps its key; the messages of a live batch have its time as position, and cover no range", () => {
  const timeMs = Date.UTC(2025, 0, 1);
  const at = { offset: timeMs, line: 0 };
  const live = keyedByInstant("fleet", { timeMs, idempotencyKey: "fleet:now", batch });
  const [whole] = messagesOf(live, Infinity);
  expect(whole?.message).toMatchObject({
    idempotencyKey: "fleet:now",
    source: { sourceId: "fleet", from: at, to: at },
  });
  const parts = messagesOf(live, 800);
  expect(parts.length).toBeGreaterThan(1);
  expect(parts.map(({ message }) => message.source)).toEqual(
    parts.map(() => ({ sourceId: "fleet", from: at, to: at })),
  );
});
