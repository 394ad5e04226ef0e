import { afterAll } from "bun:test";
import { LocalAssignment } from "../../src/pipeline/stream/assignment/local-assignment.ts";
import { exerciseRangeAssignment, messageOf } from "../contract/range-assignment.ts";
import { CsvFolder, manyRows, openCsvSource } from "../support/csv-reading.ts";
import { openMemoryStore } from "../support/open-store.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

for (const [name, rangeBytes] of [
  ["LocalAssignment", undefined],
  ["LocalAssignment, range by range", 8192],
] as const) {
  exerciseRangeAssignment(name, async () => {
    const { store, close } = await openMemoryStore();
    const source = await openCsvSource(folder.write(manyRows(2000)), { batchRows: 50 });
    return {
      source,
      assignment: new LocalAssignment(store, rangeBytes),
      openOther: () => new LocalAssignment(store, rangeBytes),
      settle: (_, { range, batch }) => {
        const { idempotencyKey } = messageOf({ range, batch });
        return store.ingest({ messageId: idempotencyKey, idempotencyKey, source: range, batch });
      },
      close,
    };
  });
}
