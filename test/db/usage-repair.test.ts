import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { hourMs } from "../../src/domain/time-range.ts";
import { usageThresholdsDefault } from "../../src/domain/usage/usage-hour.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { findUsageDamage, rebuildDay, rebuildUsage } from "../../src/pipeline/store/sql/usage/usage-repair.ts";
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

const faults = () => Array.fromAsync(findUsageDamage(opened.client, usageThresholdsDefault));
const rebuild = () => rebuildUsage(opened.client, noon, usageThresholdsDefault);
const usage = () => opened.client.query("select * from usage_hours order by from_at, first_key");
const repair = { kind: "rebuild", hour: noon } as const;

test.each([
  [
    "cannot be read",
    `update usage_hours set columns = '\\xdeadbeef' where ${atNoon}`,
    /^the row of usage_hours with first_key \d+ from 2026-01-05T12:00:00.000Z cannot be read: /,
  ],
  [
    "has another holder",
    `update usage_hours set holders = replace(holders::text, '"b"', '"c"')::json where ${atNoon}`,
    /^the usage of 1 GPU\(s\) is not that of their blocks in the hour from /,
  ],
  ["has other keys", `update usage_hours set last_key = first_key where ${atNoon}`, / is not among its keys$/],
])("a row of usage that %s is found, and made again from the blocks", async (_, statement, problem) => {
  const before = await usage();
  await opened.client.query(statement);
  expect(await faults()).toContainEqual({ problem: expect.stringMatching(problem) as string, repair });
  await rebuild();
  expect(await usage()).toEqual(before);
  expect(await faults()).toEqual([]);
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

test("a day that is not the sum of its hours is found, and made again; one whose hours were lost is kept", async () => {
  const day = { kind: "rebuild-day", hour: begin } as const;
  const daysOf = async () => (await opened.client.query("select * from usage_days")).length;
  const name = "the day of usage from 2026-01-05T00:00:00Z";
  const differs = `${name} is not the sum of its hours: it is wrong, or one of them; rebuild-day trusts the hours`;
  expect(await faults()).toEqual([]);
  await opened.client.query(`update usage_days set names = replace(names::text, '"b"', '"c"')::json`);
  expect(await faults()).toEqual([{ problem: differs, repair: day }]);
  await rebuildDay(opened.client, begin, usageThresholdsDefault);
  expect(await daysOf()).toBe(0);
  while (await opened.settling.rollUpDay());
  expect(await faults()).toEqual([]);
  await opened.client.query("delete from usage_device_days");
  expect(await faults()).toEqual([{ problem: differs, repair: day }]);
  await rebuildDay(opened.client, begin, usageThresholdsDefault);
  while (await opened.settling.rollUpDay());
  await opened.client.query(`delete from usage_hours where ${atNoon}`);
  await opened.client.query(`delete from blocks where from_at >= '${noonText}' and from_at < '2026-01-05T13:00:00Z'`);
  const lost = `${name} has more than its hours, of which some were lost: the day counts`;
  expect(await faults()).toEqual([{ problem: lost, repair: undefined }]);
  await expect(rebuildDay(opened.client, begin, usageThresholdsDefault)).rejects.toThrow("was kept");
});
