import { expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

const beginMs = Date.UTC(2025, 6, 19);
const range = { fromMs: beginMs, toMs: beginMs + 3_600_000 };

test("within bounds, a GPU that stops is missed until its file ends, before its hour is settled and after", async () => {
  const { store, queries, client, close } = await openMemoryStore();
  const recordsOf = (uuid: string, from: number) =>
    [0, 10, 20, 30, 40].map((second) => ({
      uuid,
      timeMs: beginMs + (from + second) * 1000,
      hostname: "host-a",
      metrics: { temperature: 1 },
    }));
  // the file has GPU-a until 490 s, and GPU-b until 90 s; each message has 50 s of it
  for (let from = 0; from < 500; from += 50) {
    const records = [...recordsOf("GPU-a", from), ...(from < 100 ? recordsOf("GPU-b", from) : [])];
    await store.ingest(messageOf(`from ${from}`, makeBatch(records), { source: "csv:file", from, to: from + 50 }));
  }
  const expected = async (): Promise<(number | undefined)[]> => {
    const gpus = { within: { hosts: ["host-a"] } };
    const asked = {
      groupBy: "host",
      metrics: ["temperature"],
      gpus,
      range,
      resolution: "1m",
      limit: 1000,
      withExpected: true,
    } as const;
    return (await queries.aggregates.byGroup(asked)).map((row) => row.expected);
  };
  const inRows = await expected();
  expect(inRows).toEqual([12, 12, 12, 12, 12, 12, 12, 12, 4]);
  await settleTo(client, "everything");
  expect(await expected()).toEqual(inRows);
  await close();
});
