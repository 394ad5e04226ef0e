import { expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { hourMs } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

// Usage outlives the records and the rollups that it was made with.

setDefaultTimeout(60_000);

const dayMs = 24 * hourMs;
const nowHour = Math.floor(Date.now() / hourMs) * hourMs;
const begin = nowHour - 10 * dayMs;
const range = { fromMs: begin, toMs: nowHour + hourMs };

function recordsAt(fromMs: number, more: Partial<TestRecord> = {}): TestRecord[] {
  return Array.from({ length: 60 }, (_, minute) => ({
    uuid: "GPU-kept",
    timeMs: fromMs + minute * 60_000,
    metrics: { gpu_utilization: 50, power_draw: 100 },
    workload: { namespace: "team", pod: "pod", container: "" },
    ...more,
  }));
}

async function hoursOf({ queries }: OpenStore): Promise<[number, number, string][]> {
  const filter = { gpus: {}, holder: {}, range, groupBy: "job", step: "hour", rowsMax: 1000 } as const;
  const rows = await queries.usage.sums(filter);
  return rows
    .filter(({ allocatedSeconds }) => allocatedSeconds > 0)
    .map(({ timeMs, allocatedSeconds, group }) => [(timeMs - begin) / hourMs, allocatedSeconds, group[0] ?? ""]);
}

test("usage is kept for longer than its records, late records do not change it then, and it is deleted by its own age", async () => {
  const opened = await openMemoryStore();
  try {
    const recent = nowHour - 2 * hourMs;
    const records = [...recordsAt(begin, { properties: { hpc_job: "77" } }), ...recordsAt(recent)];
    await opened.store.ingest(messageOf("kept", makeBatch(records)));
    await settleTo(opened.client, "everything");
    const before = await hoursOf(opened);
    expect(before).toEqual([
      // the last record counts until 3 minutes later, in the next hour
      [0, 3600, "77"],
      [1, 120, "77"],
      [238, 3540, ""],
    ]);
    await opened.retention.deleteOlder({ raw: 3, "1h": 5, usage: 20 });
    expect(await hoursOf(opened)).toEqual(before);
    const [left] = await opened.client.query<{ blocks: number; rollups: number }>(
      "select (select count(*)::int from blocks) as blocks, (select count(*)::int from rollups) as rollups",
    );
    expect(left).toEqual({ blocks: 1, rollups: 1 });
    // its other records are gone: what it amounts to alone is not how the device was used
    await opened.store.ingest(messageOf("late", makeBatch([{ ...records[0], timeMs: begin + 1 } as TestRecord])));
    await settleTo(opened.client, "everything");
    expect(await hoursOf(opened)).toEqual(before);
    await opened.retention.deleteOlder({ raw: 3, "1h": 5, usage: 5 });
    expect(await hoursOf(opened)).toEqual([[238, 3540, ""]]);
  } finally {
    await opened.close();
  }
});

test("hours that were settled without the ledger follow from their records, and are unknown without these", async () => {
  const opened = await openMemoryStore();
  try {
    const records = [0, 1, 2].flatMap((hour) => recordsAt(begin + hour * hourMs));
    await opened.store.ingest(messageOf("older", makeBatch(records)));
    await settleTo(opened.client, "everything");
    const filter = { gpus: {}, holder: {}, range, groupBy: "total", step: "hour", rowsMax: 1000 } as const;
    const secondsOf = async () =>
      (await opened.queries.usage.sums(filter)).map((row) => [row.allocatedSeconds, row.unknownSeconds]);
    const expected = [
      [3600, 0],
      [3600, 0],
      [3540, 0],
    ];
    expect(await secondsOf()).toEqual(expected);
    await opened.client.query("delete from usage_hours");
    expect(await secondsOf()).toEqual(expected);
    const third = new Date(begin + 2 * hourMs).toISOString();
    await opened.client.query("delete from blocks where from_at < $1::text::timestamptz", [third]);
    expect(await secondsOf()).toEqual([
      [0, 3600],
      [0, 3600],
      [3540, 0],
    ]);
  } finally {
    await opened.close();
  }
});
