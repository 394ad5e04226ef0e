import { expect, test } from "bun:test";
import fc from "fast-check";
import { sortedRecords } from "../../src/pipeline/store/sql/sorted-records.ts";
import { makeBatch } from "../../dev/make-batch.ts";

const gpuCount = 5;
const record = fc.record({
  uuid: fc.integer({ min: 0, max: gpuCount - 1 }).map((gpu) => `GPU-${gpu}`),
  timeMs: fc.integer({ min: 0, max: 20 }).map((second) => Date.UTC(2025, 0, 1) + second * 1000),
  metrics: fc.constant({ temperature: 28 }),
});
// a GPU whose attributes differ between its records is in the batch several times, with one key
const keysOfGpus = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: gpuCount, maxLength: gpuCount });

test("sortedRecords returns the index of each record once, sorted by the key of the record's GPU, then by time", () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 60 }), keysOfGpus, (records, gpuKeys) => {
      const batch = makeBatch(records);
      const keys = Float64Array.from(gpuKeys.slice(0, batch.gpus.length));
      const placeOf = (index: number): [key: number, timeMs: number] => [
        keys[batch.gpuIndexes[index] as number] as number,
        batch.timesMs[index] as number,
      ];
      const all = Array.from({ length: batch.recordCount }, (_, index) => index);
      const order = Array.from(sortedRecords(batch, keys));
      expect(order.toSorted((a, b) => a - b)).toEqual(all);
      const places = all.map(placeOf).sort(([keyA, timeA], [keyB, timeB]) => keyA - keyB || timeA - timeB);
      expect(order.map(placeOf)).toEqual(places);
    }),
  );
});
