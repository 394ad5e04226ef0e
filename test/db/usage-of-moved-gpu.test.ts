import { expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { dayMs, hourMs } from "../../src/domain/time-range.ts";
import type { UsageSumFilter } from "../../src/domain/usage/usage.ts";
import { openMemoryStore } from "../support/open-store.ts";

// What a caller who may see one host gets of a GPU that leaves the host and comes back, while its MIG instance stays.

setDefaultTimeout(120_000);

const begin = Date.UTC(2026, 0, 5);
const stepMs = 10 * 60_000;
const timesOf = (fromMs: number, toMs: number): number[] =>
  Array.from({ length: (toMs - fromMs) / stepMs }, (_, index) => fromMs + index * stepMs);
const metrics = { gpu_utilization: 50 };

function records(): TestRecord[] {
  const board = [
    { hostname: "host-a", fromMs: begin, toMs: begin + 6 * hourMs },
    { hostname: "host-b", fromMs: begin + 6 * hourMs, toMs: begin + 30 * hourMs },
    { hostname: "host-a", fromMs: begin + 36 * hourMs, toMs: begin + 42 * hourMs },
  ];
  const ofBoard = board.flatMap(({ hostname, fromMs, toMs }) =>
    timesOf(fromMs, toMs).map((timeMs) => ({ uuid: "GPU-1", timeMs, hostname, metrics })),
  );
  const ofInstance = timesOf(begin, begin + 48 * hourMs).map((timeMs) => ({
    ...{ uuid: "GPU-1:mig:1:3g.40gb", timeMs, hostname: "host-a", metrics },
  }));
  return [...ofBoard, ...ofInstance];
}

test("what a caller with bounds gets of a day does not depend on where the range begins", async () => {
  const opened = await openMemoryStore();
  try {
    await opened.store.ingest(messageOf("first", makeBatch(records())));
    const secondDay = async (fromMs: number): Promise<readonly unknown[]> => {
      const gpus = { within: { hosts: ["host-a"] } };
      const range = { fromMs, toMs: begin + 2 * dayMs };
      const asked = { gpus, holder: {}, range, groupBy: "device", step: "day", rowsMax: 100 } as const;
      const rows = await opened.queries.usage.sums(asked satisfies UsageSumFilter);
      return rows
        .filter(({ timeMs }) => timeMs === begin + dayMs)
        .map(({ group, unallocatedSeconds, unknownSeconds }) => ({
          device: group.at(-1),
          ...{ unallocatedSeconds: Math.round(unallocatedSeconds), unknownSeconds: Math.round(unknownSeconds) },
        }));
    };
    const alone = await secondDay(begin + dayMs);
    // a record counts until the next: 5:50 h of which the GPU has four sevenths, and 23:50 h of which the instance has three
    expect(alone).toEqual([
      { device: "GPU-1", unallocatedSeconds: 12_000, unknownSeconds: 0 },
      { device: "GPU-1:mig:1:3g.40gb", unallocatedSeconds: 36_771, unknownSeconds: 0 },
    ]);
    expect(await secondDay(begin)).toEqual(alone);
  } finally {
    await opened.close();
  }
});
