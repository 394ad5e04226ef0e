import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";

let store: OpenStore;
beforeAll(async () => {
  store = await openMemoryStore();
});
afterAll(() => store.close());

test("a bad row of a file that is played again and again is in quarantine once, not once a round", async () => {
  const bad = {
    line: 7,
    byte: 300,
    reason: "invalid_value",
    field: "value",
    value: "x",
    message: "No.",
    raw: "a,x",
  } as const;
  const rounds = ["csv:a", "csv:a:round:1", "csv:a:now:1753000000000:0", "csv:a:now:1753000000000:1", "csv:b"];
  for (const [index, sourceId] of rounds.entries()) {
    const at = { source: sourceId, from: 0, to: 400 };
    await store.store.ingest(messageOf(`m${index}`, makeBatch([], [bad]), at));
  }
  const rejections = await store.queries.quarantine.rejections({ limit: 10 });
  expect(rejections.map(({ sourceId }) => sourceId).toSorted()).toEqual(["csv:a", "csv:a:now", "csv:b"]);
});
