import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { HistoryCursor } from "../../src/domain/query.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

const moves = 30;
const startMs = Date.UTC(2025, 6, 18, 10);
const gpus = { uuids: ["GPU-moving"] };

let opened: OpenStore;
beforeAll(async () => {
  opened = await openMemoryStore();
  const records = Array.from({ length: moves }, (_, move) => ({
    uuid: "GPU-moving",
    hostname: `host-${move}`,
    timeMs: startMs + move * 60_000,
    metrics: { temperature: move },
  }));
  await opened.store.ingest(messageOf("moves", makeBatch(records)));
});
afterAll(() => opened.close());

async function hostsOf(filter: { readonly limit: number; readonly isForward: boolean }): Promise<string[]> {
  const hosts: string[] = [];
  let cursor: HistoryCursor | undefined;
  do {
    const page = await opened.queries.history.records({ gpus, range: allTime, ...filter, ...(cursor && { cursor }) });
    const ofPage = page.elements.map(({ gpu, metrics }) => `${gpu.hostname} ${metrics["temperature"]}`);
    hosts.push(...(filter.isForward ? ofPage : ofPage.reverse()));
    cursor = page.next;
  } while (cursor !== undefined);
  return hosts;
}

test.each(["nothing", "everything"] as const)(
  "records of a GPU that moved often have its places of their instants, when %s is settled",
  async (settled) => {
    await settleTo(opened.client, settled);
    const expected = Array.from({ length: moves }, (_, move) => `host-${move} ${move}`);
    for (const limit of [1, 7, 100]) {
      expect(await hostsOf({ limit, isForward: true })).toEqual(expected);
      expect(await hostsOf({ limit, isForward: false })).toEqual(expected.toReversed());
    }
  },
);
