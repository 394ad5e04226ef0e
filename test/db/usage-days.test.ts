import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { hourMs } from "../../src/domain/time-range.ts";
import { gpuPricesOf } from "../../src/domain/usage/prices.ts";
import type { UsageSumFilter } from "../../src/domain/usage/usage.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { SqlTelemetryQueries } from "../../src/pipeline/store/sql/sql-telemetry-queries.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

// Usage of whole days is added up once; answers that use the days are those that the hours give.

setDefaultTimeout(120_000);

const dayMs = 24 * hourMs;
const begin = Date.UTC(2026, 0, 5);
const range = { fromMs: begin - 6 * hourMs, toMs: begin + 4 * dayMs };
const stepMs = 10 * 60_000;
const rangeOf = { fromMs: begin + 3 * hourMs, toMs: begin + 3 * dayMs + 5 * hourMs };

let opened: OpenStore;
let queries: SqlTelemetryQueries;
beforeEach(async () => {
  opened = await openMemoryStore();
  const prices = { gpuHour: gpuPricesOf("NVIDIA H100=2.25; *=1"), kilowattHour: 0.5, currency: "EUR" };
  queries = new SqlTelemetryQueries(opened.client, undefined, { activePercent: 5, effectivePercent: 5, prices });
  await opened.store.ingest(messageOf("first", makeBatch(records())));
  await settleTo(opened.client, "everything");
});
afterEach(() => opened.close());

/** Devices that are shared, move, change holders, are silent for a while, or are instances. */
function records(): TestRecord[] {
  const pod = (namespace: string, name: string) => ({ namespace, pod: name, container: "main" });
  const instants = Array.from(
    { length: (rangeOf.toMs - rangeOf.fromMs) / stepMs },
    (_, n) => rangeOf.fromMs + n * stepMs,
  );
  return instants.flatMap((timeMs, index): TestRecord[] => {
    const metrics = {
      ...{ gpu_utilization: index % 7 === 0 ? 0 : index % 100, memory_used_mb: index, power_draw: 100 + (index % 50) },
      ...(index % 3 === 0 ? {} : { sm_active: (index % 40) / 100 }),
    };
    const changing = pod("a", `a-${Math.floor(index / 50)}`);
    return [
      { uuid: "GPU-a", timeMs, metrics, workload: changing, sharing: index % 100 < 25 ? [pod("b", "b-0")] : [] },
      { uuid: "GPU-b", timeMs, metrics, hostname: index < 200 ? "host-a" : "host-b", modelName: "NVIDIA A100" },
      ...(index > 150 && index < 250
        ? []
        : [{ uuid: "GPU-c", timeMs, metrics, properties: { hpc_job: "7", user: "ada" } }]),
      { uuid: "GPU-d:mig:1:3g.40gb", timeMs, metrics: { gr_engine_active: 0.5 }, workload: pod("b", "b-1") },
      // of one namespace, in one place, all the time
      { uuid: "GPU-f", timeMs, metrics, workload: pod("b", `b-${index % 300 < 150 ? 2 : 3}`) },
    ];
  });
}

const groupings = ["pod", "user", "host", "model", "device", "total"] as const;
const ofAll: Partial<UsageSumFilter>[] = [{}, { gpus: { hostname: "host-b" } }];
/** What days answer, with hours of some devices besides. */
const filters: Partial<UsageSumFilter>[] = [
  ...[...ofAll, { holder: { namespace: "a" } }],
  ...[{ within: { namespaces: ["b"] } }, { uuids: ["GPU-d"] }].map((gpus) => ({ gpus })),
];
/** What days answer alone. */
const filtersOfDays: Partial<UsageSumFilter>[] = [
  ...[...ofAll, { gpus: { uuids: ["GPU-b"] } }],
  ...[{ hosts: ["host-a"] }, { namespaces: ["b"] }].map((within) => ({ gpus: { uuids: ["GPU-f"], within } })),
];

async function answers(asked: readonly Partial<UsageSumFilter>[] = filters): Promise<unknown> {
  const found: unknown[] = [];
  const ask = async (more: Partial<UsageSumFilter>): Promise<void> => {
    const filter = { gpus: {}, holder: {}, range, groupBy: "pod", step: "total", rowsMax: 1000, ...more } as const;
    found.push(await queries.usage.sums(filter));
  };
  for (const groupBy of groupings) await ask({ groupBy, step: "day" });
  for (const filter of asked) await ask(filter);
  found.push(await queries.usage.jobs({ gpus: {}, holder: {}, range, nowMs: range.toMs, rowsMax: 1000 }));
  return found;
}

/** Compares answers; sums of doubles depend on their order. */
function expectSame(found: unknown, expected: unknown, path = "answers"): void {
  if (typeof expected === "number" && typeof found === "number") {
    const isClose = Math.abs(found - expected) <= Math.max(0.002, Math.abs(expected) * 1e-6);
    expect([path, isClose ? expected : found]).toEqual([path, expected]);
  } else if (typeof expected === "object" && expected !== null && typeof found === "object" && found !== null) {
    const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])];
    for (const name of names) {
      const [one, other] = [found, expected].map((each) => (each as Readonly<Record<string, unknown>>)[name]);
      expectSame(one, other, `${path}.${name}`);
    }
  } else expect([path, found]).toEqual([path, expected]);
}

async function rollUp(): Promise<number> {
  let days = 0;
  while (await opened.settling.rollUpDay()) days += 1;
  return days;
}
const daysOf = async (): Promise<readonly string[]> => {
  const rows = await opened.client.query<{ day: string }>(
    "select to_char(from_at at time zone 'UTC', 'DD') as day from usage_days order by from_at",
  );
  return rows.map(({ day }) => day);
};
/** The answers from the hours alone. */
async function answersOfHours(): Promise<unknown> {
  await opened.client.query("create temp table kept as select * from usage_days");
  await opened.client.query("create temp table kept_devices as select * from usage_device_days");
  await opened.client.query("delete from usage_days");
  const found = await answers();
  await opened.client.query("insert into usage_days select * from kept");
  await opened.client.query("insert into usage_device_days select * from kept_devices");
  await opened.client.query("drop table kept, kept_devices");
  return found;
}

test("answers that use days are those of their hours, and need the hours no more", async () => {
  const [expected, ofDays] = [await answers(), await answers(filtersOfDays)];
  expect(await rollUp()).toBe(3);
  expect(await daysOf()).toEqual(["05", "06", "07"]);
  expectSame(await answers(), expected);
  // without the hours of a day, its figures stay
  const noon = new Date(begin + 36 * hourMs).toISOString();
  await opened.client.query("delete from usage_hours where from_at = $1::text::timestamptz", [noon]);
  await opened.client.query("delete from blocks where date_trunc('hour', from_at) = $1::text::timestamptz", [noon]);
  expectSame(await answers(filtersOfDays), ofDays);
});

test("a selector does not show what other namespaces had, whatever a day says of its holders", async () => {
  await rollUp();
  await opened.client.query(`update usage_device_days set held = replace(held::text, '"b"', '"a"')::json`);
  const gpus = { uuids: ["GPU-f"], within: { namespaces: ["a"] } };
  const day = { fromMs: begin + dayMs, toMs: begin + 2 * dayMs };
  const asked = { gpus, range: day, holder: {}, groupBy: "namespace", step: "total", rowsMax: 10 } as const;
  expect(await queries.usage.sums(asked)).toEqual([]);
});

test("a late record counts at once, and in the day after its hour is settled again", async () => {
  await rollUp();
  const before = await answers();
  const late = { uuid: "GPU-c", timeMs: begin + 40 * hourMs + 1, metrics: { gpu_utilization: 50 } };
  await opened.store.ingest(messageOf("late", makeBatch([late])));
  const after = await answers();
  expect(after).not.toEqual(before);
  expectSame(after, await answersOfHours());
  // not while its records are rows
  expect(await rollUp()).toBe(0);
  await settleTo(opened.client, "everything");
  expect(await daysOf()).toEqual(["05", "07"]);
  expect(await rollUp()).toBe(1);
  expectSame(await answers(), after);
});

test("a device that reports again after days of silence has unknown time in days that were added up before", async () => {
  const away = { uuid: "GPU-e", metrics: { gpu_utilization: 50 } };
  await opened.store.ingest(messageOf("away", makeBatch([{ ...away, timeMs: begin + 10 * hourMs }])));
  await settleTo(opened.client, "everything");
  await rollUp();
  const before = await answers();
  await opened.store.ingest(messageOf("back", makeBatch([{ ...away, timeMs: begin + 70 * hourMs }])));
  await settleTo(opened.client, "everything");
  const after = await answers();
  expect(after).not.toEqual(before);
  expectSame(after, await answersOfHours());
  // the day on which it was silent all the time, too
  expect(await rollUp()).toBe(3);
  expectSame(await answers(), after);
});

test("a day is deleted with its hours", async () => {
  await rollUp();
  // at every time of day, the time that is kept begins after the first hour of day 05, and before the second one of day 06
  const days = Math.ceil((Date.now() - (begin + dayMs + hourMs)) / dayMs);
  await opened.retention.deleteOlder({ raw: 1, "1h": 1, usage: days });
  expect(await daysOf()).toEqual(["06", "07"]);
});
