import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { messageOf, makeBatch, type TestRecord } from "../../dev/make-batch.ts";
import type { SqlClient } from "../../src/db/client.ts";
import { UndecodableBlock } from "../../src/domain/errors.ts";
import { gpuKeyOf } from "../../src/domain/gpu-key.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { historyParts, type WantedParts } from "../../src/pipeline/store/sql/history/history-parts.ts";
import { SliceSize } from "../../src/pipeline/store/sql/history/slice-size.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settledStates, settleTo } from "../support/settled.ts";

setDefaultTimeout(60_000);

const hourMs = 3_600_000;
const startMs = Date.UTC(2025, 6, 18);
const uuids = ["GPU-a", "GPU-b", "GPU-a:mig:1:1g.10gb", "GPU-c"];
const metrics = ["temperature", "power_draw"];
const workload = fc.record({
  container: fc.constantFrom("", "a"),
  pod: fc.constantFrom("", "p"),
  namespace: fc.constantFrom("", "n", "m"),
});
const value = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(-0, 1, 2.5));
const record: fc.Arbitrary<TestRecord> = fc.record({
  uuid: fc.constantFrom(...uuids),
  timeMs: fc
    .tuple(fc.nat(4), fc.constantFrom(0, 1, 1_800_000, 3_599_999))
    .map(([hour, ms]) => startMs + hour * hourMs + ms),
  driverVersion: fc.constantFrom("535", "550"),
  metrics: fc
    .dictionary(fc.constantFrom(...metrics), value, { minKeys: 1 })
    .chain((some) =>
      fc
        .dictionary(fc.constantFrom("__proto__", 'other{lane="1"}'), fc.nat(9), { maxKeys: 2 })
        .map((others) => ({ ...others, ...some })),
    ),
  workload,
  sharing: fc.array(workload, { maxLength: 1 }),
});

/** What the parts say of each record, as text; which values are in which part makes no difference. */
async function recordsIn(client: SqlClient, wanted: WantedParts): Promise<string[]> {
  const records: string[] = [];
  let lastMs = -Infinity;
  for await (const parts of historyParts(client, wanted)) {
    let last: readonly [number, number] = [0, 0];
    for (const { gpuKey, timesMs, metrics: values, others, runs } of parts) {
      const firstMs = timesMs[0] as number;
      expect(gpuKey > last[0] || (gpuKey === last[0] && firstMs > last[1])).toBe(true);
      expect(Math.floor((timesMs.at(-1) as number) / hourMs)).toBe(Math.floor(firstMs / hourMs));
      expect(Math.floor(firstMs / hourMs)).toBeGreaterThanOrEqual(Math.floor(lastMs / hourMs));
      last = [gpuKey, timesMs.at(-1) as number];
      const runOf = runs.flatMap(({ records: count, attributesId, occupants }) => {
        const held = occupants.map(({ container, pod, namespace }) => [container, pod, namespace]);
        return Array.from({ length: count }, () => [attributesId, held]);
      });
      timesMs.forEach((timeMs, index) => {
        const valuesOf = (columns: ReadonlyMap<string, Float64Array>): string[] =>
          Array.from(columns, ([name, column]) => [name, column[index] as number] as const)
            .filter(([, each]) => !Number.isNaN(each))
            .map(([name, each]) => `${name}=${Object.is(each, -0) ? "-0" : each}`)
            .sort();
        records.push(JSON.stringify([timeMs, gpuKey, valuesOf(values), valuesOf(others), runOf[index]]));
      });
    }
    lastMs = Math.max(...parts.map(({ timesMs }) => timesMs.at(-1) as number));
  }
  return records.sort();
}

test("the history is the same columns whether it is in rows or in blocks", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { minLength: 1, maxLength: 40 }),
      fc.record({
        gpuKeys: fc.option(
          fc.subarray(uuids).map((some) => some.map(gpuKeyOf)),
          { nil: undefined },
        ),
        range: fc.oneof(
          fc.constant(allTime),
          fc.tuple(fc.nat(10), fc.nat(10)).map(([from, to]) => ({
            fromMs: startMs + (from * hourMs) / 2,
            toMs: startMs + (to * hourMs) / 2 + 1,
          })),
        ),
        metrics: fc.subarray(metrics),
        withOthers: fc.boolean(),
        withRuns: fc.boolean(),
        skipsEmptyHours: fc.boolean(),
      }),
      async (records, { gpuKeys, ...rest }) => {
        const { store, client, close } = await openMemoryStore();
        const wanted = { ...rest, ...(gpuKeys === undefined ? {} : { gpuKeys }) };
        await store.ingest(messageOf("message", makeBatch(records)));
        const read: Record<string, string[]> = {};
        for (const state of settledStates) {
          await settleTo(client, state);
          read[state] = await recordsIn(client, wanted);
        }
        if (wanted.range === allTime && gpuKeys === undefined) {
          const places = new Set(records.map(({ uuid, timeMs }) => `${uuid} ${timeMs}`));
          expect(read["nothing"]).toHaveLength(places.size);
        }
        expect(read["half"]).toEqual(read["nothing"] ?? []);
        expect(read["everything"]).toEqual(read["nothing"] ?? []);
        await close();
      },
    ),
    { numRuns: 6, endOnFailure: true },
  );
});

test("a block that cannot be read is named", async () => {
  const { store, client, close } = await openMemoryStore();
  await store.ingest(
    messageOf("message", makeBatch([{ uuid: "GPU-a", timeMs: startMs, metrics: { temperature: 1 } }])),
  );
  await new Settler(client).settle(Infinity);
  await client.query("update blocks set temperature = '\\xff'");
  const read = historyParts(client, { range: allTime, metrics, skipsEmptyHours: true }).next();
  const error = await read.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(UndecodableBlock);
  expect((error as Error).message).toContain(`${gpuKeyOf("GPU-a")} from 2025-07-18T00:00:00.000Z`);
  expect(
    await Array.fromAsync(historyParts(client, { range: allTime, metrics: [], skipsEmptyHours: true })),
  ).toHaveLength(1);
  await close();
});

test("a slice grows slowly, and shrinks at once when records are many", () => {
  const size = new SliceSize();
  const sizes = [0, 0, 0, 2 ** 24].map((values) => {
    size.learn(size.gpuHours, values, undefined);
    return size.gpuHours;
  });
  expect(sizes).toEqual([32, 128, 512, 64]);
  size.learn(1, 2 ** 30, undefined);
  expect(size.gpuHours).toBe(1);
});

test("many slices without records do not let the first one with records be large where such slices are rare", () => {
  const size = new SliceSize();
  for (let count = 0; count < 20; count += 1) size.learn(size.gpuHours, 0, 30);
  expect(size.gpuHours).toBe(Math.floor(2 ** 21 / (240 * 30)));
});
