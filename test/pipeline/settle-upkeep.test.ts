import { afterEach, beforeEach, expect, test } from "bun:test";
import { Registry } from "prom-client";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { SqlClient } from "../../src/db/client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { showSettling } from "../../src/pipeline/observe/settle-instruments.ts";
import type { HistorySettling } from "../../src/pipeline/store/history-settling.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { Settler } from "../../src/pipeline/store/sql/settler.ts";
import { SettleUpkeep } from "../../src/pipeline/upkeep/settle-upkeep.ts";
import { gatewayOver } from "../routes/gateway.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const hourMs = 3_600_000;
/** Yesterday. */
const t0 = Math.floor(Date.now() / hourMs) * hourMs - 24 * hourMs;
const log = unshownLog();

let opened: OpenStore;
beforeEach(async () => void (opened = await openMemoryStore()));
afterEach(() => opened.close());

/** Takes its steps when it is told to. */
class SteppedUpkeep extends SettleUpkeep {
  override step(): Promise<void> {
    return super.step();
  }
}

const upkeepOf = (settling: HistorySettling = opened.settling, isOn = true): SteppedUpkeep =>
  new SteppedUpkeep({ settling, isOn, afterMinutes: 15, pauses: false, clock: systemClock, log });

/** What a gateway says of the history that waits. */
const toldByGateway = async () => {
  const { data } = await gatewayOver(opened).json("/api/v1/pipeline");
  return (data as { settling: unknown }).settling;
};

let messages = 0;
async function store(...timesMs: number[]): Promise<void> {
  const records = timesMs.flatMap((timeMs) =>
    ["GPU-a", "GPU-b"].map((uuid) => ({ uuid, timeMs, metrics: { temperature: messages } })),
  );
  await opened.store.ingest(messageOf(`settled ${(messages += 1)}`, makeBatch(records)));
}

const countsOf = async ({ client }: { readonly client: SqlClient }): Promise<(number | undefined)[]> => {
  const [counts] = await client.query<{ rows: number; blocks: number; late: number }>(
    `select (select count(*) from telemetry)::float8 as rows, (select count(*) from blocks)::float8 as blocks,
      (select count(*) from late_hours)::float8 as late`,
  );
  return [counts?.rows, counts?.blocks, counts?.late];
};

/** As if some time had passed without records. */
const passQuietly = (minutes: number): Promise<unknown> =>
  opened.client.query(`update late_hours set last_at = last_at - make_interval(mins => ${minutes})`);

test("an hour for which records still come is settled when none has come for ten minutes, and again after a late one", async () => {
  const upkeep = upkeepOf();
  await store(t0, t0 + 1000, t0 + 2 * hourMs);
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([6, 0, 2]);
  await passQuietly(9);
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([6, 0, 2]);
  await passQuietly(2);
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([0, 4, 0]);
  expect(upkeep.current).toMatchObject({ settledRecords: 6, waiting: { dueHours: 0, lagSeconds: 0 }, busyHours: 0 });

  await store(t0 + 2000);
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([6, 2, 1]);
  await passQuietly(11);
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([0, 4, 0]);
});

test("an hour for which records have come for six hours is settled although they still come, and not again with each", async () => {
  await store(t0);
  await opened.client.query("update late_hours set first_at = first_at - interval '6 hours'");
  await upkeepOf().step();
  expect(await countsOf(opened)).toEqual([0, 2, 1]);
  await store(t0 + 1000);
  await upkeepOf().step();
  expect(await countsOf(opened)).toEqual([4, 0, 1]);
});

test("an hour that is over only by the database's clock is not settled again with each message", async () => {
  const thisHour = Math.floor(Date.now() / hourMs) * hourMs;
  await store(thisHour);
  await new Settler(opened.client).settle(Infinity);
  await store(thisHour + 1);
  expect(await countsOf(opened)).toEqual([4, 0, 1]);
});

test("records that came while the clock was a year ahead do not keep their hour from being settled", async () => {
  await store(t0);
  await opened.client.query(
    "update late_hours set last_at = last_at + interval '1 year', first_at = first_at + interval '1 year'",
  );
  await store(t0 + 1000);
  const noted = "select from late_hours where last_at < now() and first_at < now()";
  expect(await opened.client.query(noted)).toHaveLength(1);
  await opened.client.query("update late_hours set last_at = last_at + interval '1 year'");
  await upkeepOf().step();
  expect(await countsOf(opened)).toEqual([0, 2, 0]);
});

test("records of an hour that is not over for long enough stay rows", async () => {
  const thisHour = Math.floor(Date.now() / hourMs) * hourMs;
  await store(thisHour);
  await upkeepOf().step();
  expect(await countsOf(opened)).toEqual([2, 0, 0]);
});

test("what waits is in the metrics, and what was settled", async () => {
  const upkeep = upkeepOf();
  const registry = new Registry();
  showSettling(() => ({ ...upkeep.current, isOn: true, unsettledRecords: opened.store.unsettledRecords }), registry);
  expect(await registry.metrics()).not.toMatch(/^telemetry_settle_lag_seconds/m);
  await store(t0);
  await passQuietly(11);
  await upkeep.step();
  await upkeep.step();
  await store(t0 + 1000);
  const metrics = await registry.metrics();
  expect(metrics).toContain("telemetry_settled_records_total 2\n");
  expect(metrics).toContain("telemetry_unsettled_records_total 2\n");
  expect(metrics).toContain("telemetry_settle_lag_seconds 0\n");
  expect(upkeep.activity()).toBe("records become blocks 15 minutes after their hour");
});

test("a lag that has grown for an hour is an error, and one that shrinks is none", async () => {
  await store(t0, t0 + hourMs);
  await passQuietly(11);
  let laterMs = 0;
  const { settling } = opened;
  let isBusy = true;
  const later: HistorySettling = {
    due: async (age) => {
      const due = await settling.due(age);
      return { ...due, nowMs: due.nowMs + laterMs };
    },
    settleSome: (hour, afterKey) =>
      isBusy ? Promise.resolve({ outcome: "hour is busy" as const }) : settling.settleSome(hour, afterKey),
    forget: (settled) => settling.forget(settled),
    rest: (hours) => settling.rest(hours),
    rollUpDay: () => settling.rollUpDay(),
  };
  const upkeep = upkeepOf(later);
  for (; laterMs <= 50 * 60_000; laterMs += 600_000) await upkeep.step();
  expect(upkeep.error()).toBeUndefined();
  await upkeep.step();
  expect(upkeep.error()).toMatch(
    /^history is not settled as fast as it arrives: the longest that an hour has been due is 6\d minutes, an hour ago it was 1$/,
  );
  expect(upkeep.activity()).toMatch(/; 2 hours are due, the first of them since 6\d minutes$/);
  isBusy = false;
  await upkeep.step();
  expect(upkeep.error()).toBeUndefined();
});

test("old records that came minutes ago have not waited for a day, and after two hours they have waited for two hours", async () => {
  await store(t0, t0 + hourMs);
  const busy = Object.assign(Object.create(opened.settling) as HistorySettling, {
    settleSome: () => Promise.resolve({ outcome: "hour is busy" as const }),
  });
  const upkeep = upkeepOf(busy);
  for (const [passed, minutes] of [
    [11, 1],
    [120, 121],
  ] as const) {
    await passQuietly(passed);
    await upkeep.step();
    const lagSeconds = expect.closeTo(minutes * 60, -1) as number;
    expect(upkeep.current.waiting).toEqual({ dueHours: 2, lagSeconds });
    expect(await toldByGateway()).toMatchObject({ due_hours: 2, lag_seconds: lagSeconds });
  }
});

test("an hour whose records came after its blocks were deleted is due nowhere, until more records come", async () => {
  const upkeep = upkeepOf();
  await store(t0);
  await passQuietly(11);
  await upkeep.step();
  await opened.client.query("delete from blocks");
  await store(t0 + 1000);
  await passQuietly(11);
  await upkeep.step();
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([2, 0, 1]);
  expect(upkeep.current.waiting).toEqual({ dueHours: 0, lagSeconds: 0 });
  expect(await toldByGateway()).toEqual({
    ...{ enabled: true, due_hours: 0, lag_seconds: 0 },
    oldest_hour: new Date(t0).toISOString().replace(".000", ""),
  });

  const late = [{ uuid: "GPU-c", timeMs: t0 + 1000, metrics: { temperature: 1 } }];
  await opened.store.ingest(messageOf("of another GPU", makeBatch(late)));
  await passQuietly(11);
  expect(await toldByGateway()).toMatchObject({ due_hours: 1, lag_seconds: expect.closeTo(60, -1) as number });
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([2, 1, 1]);
  expect(await toldByGateway()).toMatchObject({ due_hours: 0, lag_seconds: 0 });
  await opened.client.query("delete from telemetry");
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([0, 1, 0]);
});

test("a process with SETTLE_HISTORY=false settles nothing, and says so and what waits", async () => {
  await store(t0, t0 + hourMs);
  await passQuietly(11);
  const upkeep = upkeepOf(opened.settling, false);
  const registry = new Registry();
  showSettling(() => ({ ...upkeep.current, isOn: false, unsettledRecords: 0 }), registry);
  await upkeep.step();
  expect(await countsOf(opened)).toEqual([4, 0, 2]);
  expect(upkeep.error()).toBeUndefined();
  expect(upkeep.activity()).toBe(
    "switched off (SETTLE_HISTORY=false): records stay rows; 2 hours are due, the first of them since 1 minutes",
  );
  const metrics = await registry.metrics();
  expect(metrics).toContain("telemetry_settle_enabled 0\n");
  expect(metrics).toContain("telemetry_settle_due_ranges 2\n");
  expect(await gatewayOver(opened, { settleHistory: false }).json("/api/v1/pipeline")).toMatchObject({
    data: { settling: { enabled: false, due_hours: 2 } },
  });
});
