import { expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { unsettleAll } from "../support/settled.ts";

const begin = Date.UTC(2026, 0, 5, 10);
const gpus = 40;

test("an hour whose GPUs are settled one by one has few rollups", async () => {
  const { store, client, queries, close } = await openMemoryStore();
  try {
    const records = Array.from({ length: 2 * gpus }, (_, index) => ({
      uuid: `joined-${index % gpus}`,
      timeMs: begin + Math.floor(index / gpus) * 1000,
      metrics: { temperature: index, total_energy_mj: index * 10 },
    }));
    await store.ingest(messageOf("joined", makeBatch(records)));
    const answer = async () =>
      (await queries.history.rollups({ gpus: {}, range: allTime, limit: gpus }, "1h")).elements;
    const before = await answer();
    const sizes = async () =>
      (await client.query<{ entries: number }>("select entries from rollups order by first_key")).map(
        ({ entries }) => entries,
      );
    await new Settler(client, { recordsMax: 1, readsBefore: false }).settle(Infinity);
    expect(await sizes()).toEqual([32, 8]);
    expect(await answer()).toEqual(before);
    // some are settled again: their entries are replaced where they are
    await unsettleAll(client, "where gpu_key % 3 = 0");
    expect(await answer()).toEqual(before);
    await new Settler(client, { recordsMax: 1, readsBefore: false }).settle(Infinity);
    expect((await sizes()).reduce((sum, entries) => sum + entries, 0)).toBe(gpus);
    expect((await sizes()).length).toBeLessThanOrEqual(2);
    expect(await answer()).toEqual(before);
    expect(before).toHaveLength(gpus);
  } finally {
    await close();
  }
}, 60_000);
