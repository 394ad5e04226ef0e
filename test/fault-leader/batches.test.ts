import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { startMs } from "../fault-rules/scripted-fleet.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { type Leading, leadOn } from "./lead-on.ts";

// Records that arrive several at a time, of the last minutes or of the past.

const minuteMs = 60_000;
const clock = new ManualClock(startMs);
let opened: OpenStore;
let hotTier: MemoryHotTier;
let leading: Leading;
let messages = 0;

beforeAll(async () => {
  opened = await openMemoryStore();
  hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  leading = await leadOn({ opened, hotTier, clock, ledger: new SqlFaultStore(opened.client).ledger });
});
afterAll(async () => {
  await leading.unfollow();
  await opened.close();
});

/** Passes a message through the store and the hot tier, as a collector does. */
async function collect(records: readonly TestRecord[]): Promise<void> {
  const batch = makeBatch(records);
  await opened.store.ingest(messageOf(`message-${(messages += 1)}`, batch));
  await hotTier.write(batch);
}

const step = async (seconds: number): Promise<void> => {
  await clock.advance(seconds * 1000);
  await leading.evaluation.step();
};

/** Each change of some devices, with its instant. @param fromMs instants are told in seconds since then */
async function told(uuids: readonly string[], fromMs: number): Promise<readonly string[]> {
  const { queries } = new SqlFaultStore(opened.client);
  const { news } = await queries.news({ after: 0, limit: 1000 });
  const texts = news.flatMap(({ change, fault: { subject, name } }) => {
    const text = `${subject.uuid} ${name} ${change.state} at ${(change.atMs - fromMs) / 1000}`;
    return uuids.includes(subject.uuid) && /^(nvidia|health.failed)/.test(name) ? [text] : [];
  });
  return texts.toSorted();
}

/** A record of a GPU: an XID that is reported, or 0. */
const xid = (uuid: string, timeMs: number, code: number): TestRecord => ({
  ...{ uuid, hostname: uuid, timeMs, metrics: { xid_error: code } },
});

/** Records one after another, each evaluated before the next. */
async function reportSingly(uuids: readonly string[], seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    for (const uuid of uuids) await collect([xid(uuid, clock.nowMs(), 0)]);
    await step(1);
  }
}

test("an XID is told at its instant wherever it is in a message of several records", async () => {
  const uuids = ["before-last", "last", "alone"];
  await reportSingly(uuids, 8);
  await step(6);
  const nowMs = clock.nowMs();
  await collect([xid("before-last", nowMs - 4000, 79), xid("before-last", nowMs, 0)]);
  await collect([xid("last", nowMs - 4000, 0), xid("last", nowMs, 79)]);
  await collect([xid("alone", nowMs, 79)]);
  await collect([-8, -4, 0].map((at) => xid("new", nowMs + at * 1000, at === -4 ? 79 : 0)));
  await step(1);
  expect(await told([...uuids, "new"], nowMs)).toEqual([
    "alone nvidia.xid.79 firing at 0",
    "before-last nvidia.xid.79 firing at -4",
    "last nvidia.xid.79 firing at 0",
    "new nvidia.xid.79 firing at -4",
  ]);
}, 30_000);

test("an XID is told if its device always sends several records at a time, or sends ten minutes of records at once", async () => {
  await reportSingly(["ten-minutes"], 2);
  const fiveSeconds = [-4, -3, -2, -1, 0];
  const sendFive = (code: number) =>
    collect(fiveSeconds.map((at) => xid("always", clock.nowMs() + at * 1000, at === -2 ? code : 0)));
  for (let batch = 0; batch < 11; batch += 1) {
    await sendFive(0);
    await step(5);
  }
  const nowMs = clock.nowMs();
  await sendFive(79);
  const seconds = Array.from({ length: 600 }, (_, second) => second - 599);
  await collect(seconds.map((at) => xid("ten-minutes", nowMs + at * 1000, at === -10 ? 79 : 0)));
  await step(1);
  expect(await told(["always", "ten-minutes"], nowMs)).toEqual([
    "always nvidia.xid.79 firing at -2",
    "ten-minutes nvidia.xid.79 firing at -10",
  ]);
}, 30_000);

test("an XID is told if records of single messages come faster than they are evaluated", async () => {
  await reportSingly(["fast"], 2);
  await step(60);
  const nowMs = clock.nowMs();
  for (let at = -40; at <= 0; at += 1) await collect([xid("fast", nowMs + at * 1000, at === -35 ? 79 : 0)]);
  await step(1);
  expect(await told(["fast"], nowMs)).toEqual(["fast nvidia.xid.79 firing at -35"]);
}, 30_000);

/** Two hours of a GPU, a record every two minutes: health that fails three times, and an XID. */
function history(uuid: string, endMs: number): readonly TestRecord[] {
  return Array.from({ length: 60 }, (_, index) => {
    const minute = 2 * index - 118;
    const fails = [
      [-100, -80],
      [-58, -40],
      [-20, -10],
    ].some(([from = 0, to = 0]) => minute >= from && minute < to);
    const metrics = { gpu_health_status: fails ? 20 : 10, xid_error: minute === -110 || minute === -30 ? 79 : 0 };
    return { uuid, timeMs: endMs + minute * minuteMs, metrics };
  });
}

const waysIn = [
  ["in one message", 60],
  ["in messages of 7 records", 7],
  ["in messages of a record", 1],
] as const;

test.each(waysIn)(
  "history that has ended an hour ago tells nothing: %s",
  async (way, size) => {
    await step(1);
    const uuid = `ended ${way}`;
    const records = history(uuid, clock.nowMs() - 61 * minuteMs);
    for (let from = 0; from < records.length; from += size) await collect(records.slice(from, from + size));
    await step(1);
    await step(700);
    expect(await told([uuid], clock.nowMs())).toEqual([]);
  },
  30_000,
);

test.each(waysIn)(
  "of history that has not ended, the last hour is told whole: %s",
  async (way, size) => {
    await step(1);
    const endMs = clock.nowMs();
    const uuid = `lasting ${way}`;
    const records = history(uuid, endMs);
    for (let from = 0; from < records.length; from += size) {
      await collect(records.slice(from, from + size));
      if (from % 5 === 0) await step(0);
    }
    await step(1);
    expect(await told([uuid], endMs)).toEqual(
      [
        "health.failed firing at -1200",
        "health.failed firing at -3480",
        "health.failed resolved at -2280",
        "health.failed resolved at -480",
        "nvidia.xid.79 firing at -1800",
      ].map((text) => `${uuid} ${text}`),
    );
  },
  30_000,
);
