import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { hourMs } from "../../src/domain/time-range.ts";
import { selectUsage } from "../../src/db/sql/usage-hours.ts";
import { packUsage } from "../../src/domain/usage/packed-usage.ts";
import { type UsageHour, type UsageSpan, usageThresholdsDefault } from "../../src/domain/usage/usage-hour.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { decodeUsage } from "../../src/pipeline/store/sql/usage/stored-usage.ts";
import {
  findUsageDamage,
  findUsageDayDamage,
  rebuildDay,
  rebuildUsage,
} from "../../src/pipeline/store/sql/usage/usage-repair.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";

setDefaultTimeout(60_000);

const begin = Date.UTC(2026, 0, 5);
const noon = begin + 12 * hourMs;
const noonText = new Date(noon).toISOString();
const atNoon = "from_at = '2026-01-05T12:00:00Z'";

let opened: OpenStore;
beforeAll(async () => {
  opened = await openMemoryStore();
  // few hours, and one of the day after
  const hours = [11, 12, 13, 25].map((hour) => begin + hour * hourMs);
  const records = ["GPU-a", "GPU-b"].flatMap((uuid) =>
    hours.flatMap((hour) =>
      [0, 20, 40].map((minute) => ({
        ...{ uuid, timeMs: hour + minute * 60_000, metrics: { gpu_utilization: 50, power_draw: 300 } },
        workload: { namespace: uuid === "GPU-a" ? "a" : "b", pod: "p", container: "" },
      })),
    ),
  );
  await opened.store.ingest(messageOf("records", makeBatch(records)));
  await settleTo(opened.client, "everything");
  for (const table of tables) await opened.client.query(`create table kept_${table} as select * from ${table}`);
});
afterAll(() => opened.close());

const tables = ["usage_hours", "blocks"];
beforeEach(async () => {
  for (const table of [...tables, "usage_days"]) await opened.client.query(`delete from ${table}`);
  for (const table of tables) await opened.client.query(`insert into ${table} select * from kept_${table}`);
  while (await opened.settling.rollUpDay());
});

const faults = async () => [
  ...(await Array.fromAsync(findUsageDamage(opened.client, usageThresholdsDefault))),
  ...(await Array.fromAsync(findUsageDayDamage(opened.client, usageThresholdsDefault))),
];
const rebuild = () => rebuildUsage(opened.client, noon, usageThresholdsDefault);
const makeDay = () => rebuildDay(opened.client, begin, usageThresholdsDefault);
const usage = () => opened.client.query("select * from usage_hours order by from_at, first_key");
const ledger = async () => [
  ...(await usage()),
  ...(await opened.client.query("select * from usage_days order by from_at")),
  ...(await opened.client.query("select * from usage_device_days order by from_at, first_host")),
];
const repair = { kind: "rebuild", hour: noon } as const;

/** Changes the usage of all devices at noon. */
async function changeNoon(change: (usage: UsageHour) => Partial<UsageHour>): Promise<void> {
  const { stored } = await selectUsage(opened.client, { fromMs: noon, toMs: noon + hourMs }, undefined);
  for (const row of stored) {
    const devices = decodeUsage(row).map(({ gpuKey, usage }) => ({ gpuKey, usage: { ...usage, ...change(usage) } }));
    const { columns } = packUsage(devices, noon);
    await opened.client.query(`update usage_hours set columns = $1 where ${atNoon}`, [columns]);
  }
}
const changeSpans = (change: Partial<UsageSpan>) =>
  changeNoon(({ spans }) => ({ spans: spans.map((span) => ({ ...span, ...change })) }));

/** Does what db:repair prints, in its order. @returns what was to be done */
async function followPlan(): Promise<string[]> {
  const plan = [...new Set((await faults()).flatMap((fault) => (fault.repair ? [JSON.stringify(fault.repair)] : [])))];
  for (const step of plan) {
    const { kind, hour } = JSON.parse(step) as { kind: "rebuild" | "rebuild-day"; hour: number };
    await { rebuild: rebuildUsage, "rebuild-day": rebuildDay }[kind](opened.client, hour, usageThresholdsDefault);
  }
  return plan.map((step) => (JSON.parse(step) as { kind: string }).kind);
}

const both = ["rebuild", "rebuild-day"];
test.each<[string, string | (() => Promise<void>), readonly string[]]>([
  ["bytes of an hour", `update usage_hours set columns = '\\xdeadbeef' where ${atNoon}`, ["rebuild"]],
  [
    "a holder of an hour",
    `update usage_hours set holders = replace(holders::text, '"b"', '"c"')::json where ${atNoon}`,
    both,
  ],
  ["the keys of an hour", `update usage_hours set last_key = first_key where ${atNoon}`, ["rebuild"]],
  ["the first key of an hour", `update usage_hours set first_key = 1 where ${atNoon}`, ["rebuild"]],
  [
    "the beginning of an hour",
    `update usage_hours set from_at = from_at + interval '1 min' where ${atNoon}`,
    ["rebuild"],
  ],
  ["the devices of an hour", `update usage_hours set devices = devices - 1 where ${atNoon}`, ["rebuild"]],
  ["the spans of an hour", `update usage_hours set spans = spans + 1 where ${atNoon}`, ["rebuild"]],
  ["the energy of an hour", () => changeSpans({ energyJoules: 7 }), both],
  ["the idle energy of an hour", () => changeSpans({ idleJoules: 7 }), both],
  ["active time of an hour", () => changeSpans({ activeMs: 7, idleMs: 7 }), both],
  ["effective time of an hour", () => changeSpans({ effectiveMs: 7 }), both],
  ["what was measured in an hour", () => changeNoon(() => ({ energyBy: "counter", effectiveBy: "sm" })), both],
  ["the last state of an hour", () => changeNoon(({ last }) => ({ last: { ...last, power: 7 } })), both],
  ["the names of a day", `update usage_days set names = replace(names::text, '"b"', '"c"')::json`, ["rebuild-day"]],
  ["the bytes of a day", `update usage_days set columns = '\\xdeadbeef'`, ["rebuild-day"]],
  ["the fleet of a day", "update usage_days set fleet = 'x'", ["rebuild-day"]],
  ["the devices of a day", "update usage_days set devices = devices + 1", ["rebuild-day"]],
  ["the entries of a day", "update usage_days set entries = entries - 1", ["rebuild-day"]],
  ["all devices of a day", "delete from usage_device_days", ["rebuild-day"]],
  ["the holders of devices", `update usage_device_days set held = '[["a"],["a"]]'`, ["rebuild-day"]],
  ["the first host of devices", "update usage_device_days set first_host = 1", ["rebuild-day"]],
  ["the last host of devices", "update usage_device_days set last_host = last_host + 1", ["rebuild-day"]],
  ["the entries of devices", "update usage_device_days set entries = entries - 1", ["rebuild-day"]],
  ["the devices of devices", "update usage_device_days set devices = devices - 1", ["rebuild-day"]],
  ["the bytes of devices", `update usage_device_days set columns = '\\xdeadbeef'`, ["rebuild-day"]],
  [
    "the names of devices",
    `update usage_device_days set names = replace(names::text, '"b"', '"c"')::json`,
    ["rebuild-day"],
  ],
])("damage of %s is found, and its plan restores the ledger", async (_, damage, plan) => {
  expect(await faults()).toEqual([]);
  const before = await ledger();
  await (typeof damage === "string" ? opened.client.query(damage) : damage());
  expect(await followPlan()).toEqual([...plan]);
  expect(await faults()).toEqual([]);
  // after an hour alone, collectors add up its day
  while (await opened.settling.rollUpDay());
  expect(await ledger()).toEqual(before);
});

test("energy of an hour that got into its day is found, and made again from the blocks", async () => {
  const before = await ledger();
  await opened.client.query("delete from usage_days");
  await changeSpans({ energyJoules: 7 });
  while (await opened.settling.rollUpDay());
  const [fault, ...others] = await faults();
  expect([fault, others]).toEqual([
    {
      problem:
        "the energy or activity of 2 GPU(s) is not that of their blocks in the hour from 2026-01-05T12:00:00Z: it is damaged, or was not settled by USAGE_ACTIVE_PERCENT=5 and USAGE_EFFECTIVE_PERCENT=5 or by this version",
      repair,
    },
    [],
  ]);
  expect(await rebuild()).toEqual({ damaged: 0, gpus: 2 });
  while (await opened.settling.rollUpDay());
  expect(await ledger()).toEqual(before);
});

test("a row of usage that cannot be read is named with the reason", async () => {
  await opened.client.query(`update usage_hours set last_key = first_key where ${atNoon}`);
  const [fault] = await faults();
  expect(fault?.problem).toMatch(
    /^the row of usage_hours with first_key \d+ from 2026-01-05T12:00:00.000Z cannot be read: .* is not among its keys$/,
  );
});

test("usage of GPUs with blocks that is lost is found, and made again", async () => {
  const before = await usage();
  await opened.client.query(`delete from usage_hours where ${atNoon}`);
  const problem = "2 GPU(s) with blocks have no usage in the hour from 2026-01-05T12:00:00Z";
  expect(await faults()).toEqual([{ problem, repair }]);
  expect(await rebuild()).toEqual({ damaged: 0, gpus: 2 });
  expect(await usage()).toEqual(before);
});

test("usage that cannot be read is lost where the records were deleted, which is said", async () => {
  await opened.client.query(`update usage_hours set columns = '\\xdeadbeef' where ${atNoon}`);
  await opened.client.query("delete from blocks");
  const [fault] = await faults();
  expect(fault?.problem).toEndWith("; what it has of GPUs whose records were deleted cannot be made again");
  expect(await rebuild()).toEqual({ damaged: 1, gpus: 0 });
});

test("a day is made again whether it is stored or not, and says so", async () => {
  const before = await ledger();
  await opened.client.query("delete from usage_days");
  expect([await makeDay(), await makeDay()]).toEqual(["made", "right"]);
  expect(await ledger()).toEqual(before);
  // the hour after it has not come
  expect(await rebuildDay(opened.client, begin + 24 * hourMs, usageThresholdsDefault)).toBe("later");
});

const name = "the day of usage from 2026-01-05T00:00:00Z";
const deleteBlocks = `delete from blocks where from_at >= '${noonText}' and from_at < '2026-01-05T13:00:00Z'`;

test("which of a day and its hours is wrong follows from the blocks, and from the two tables of days", async () => {
  await opened.client.query(`update usage_days set names = replace(names::text, '"b"', '"c"')::json`);
  expect((await faults())[0]?.problem).toBe(
    `${name} is not the sum of its hours, nor does what it has by host agree with what it has by device: rebuild-day trusts its hours`,
  );
  await makeDay();
  await changeSpans({ energyJoules: 7 });
  expect((await faults())[1]?.problem).toBe(
    `${name} is not the sum of its hours: rebuild-day trusts these, because they are what their blocks give, or are named above`,
  );
  await opened.client.query(deleteBlocks);
  const kept = `${name} is not the sum of its hours: one of these is wrong, and cannot be made again; the day counts, because what it has by host agrees with what it has by device, and records of its hours were deleted`;
  expect(await faults()).toEqual([{ problem: kept, repair: undefined }]);
  expect(await makeDay().catch(String)).toEndWith(": it was kept");
  await opened.client.query(`delete from usage_hours where ${atNoon}`);
  const lost = `${name} has more than its hours, of which some were lost: the day counts`;
  expect(await faults()).toEqual([{ problem: lost, repair: undefined }]);
  expect(await makeDay().catch(String)).toEndWith(": it was kept");
});

test("a day keeps what it has of an hour that cannot be read, and has no blocks", async () => {
  const days = async () => (await ledger()).slice((await usage()).length);
  const before = await days();
  await opened.client.query(`update usage_hours set columns = '\\xdeadbeef' where ${atNoon}`);
  await opened.client.query(deleteBlocks);
  expect(await followPlan()).toEqual(["rebuild"]);
  expect(await days()).toEqual(before);
  while (await opened.settling.rollUpDay());
  expect(await days()).toEqual(before);
});
