import { afterAll, beforeAll, expect, test } from "bun:test";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { until } from "../../dev/until.ts";
import { MissedRecords } from "../../src/faults/leader/missed-records.ts";
import { SharedStoreTier } from "../../src/faults/leader/shared-store-tier.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import type { HotTier } from "../../src/pipeline/hot/hot-tier.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { startMs } from "../fault-rules/scripted-fleet.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { type Leading, leadOn } from "./lead-on.ts";

// Another process without etcd stores records in the same database. The leader reads the newest one of each device every two seconds.

const clock = new ManualClock(startMs);
const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
let opened: OpenStore;
let leading: Leading;
let reads = 0;
let messages = 0;

beforeAll(async () => {
  opened = await openMemoryStore();
  const tier = new SharedStoreTier({ hotTier, fleet: opened.queries.fleet, clock });
  const counted: Pick<HotTier, "follow"> = {
    follow: (follower) =>
      tier.follow({
        onChanges: (changes) => follower.onChanges(changes),
        onFollowing: (afterGap) => {
          if (!afterGap) reads += 1;
          follower.onFollowing(afterGap);
        },
        onInterrupted: (error) => follower.onInterrupted(error),
      }),
  };
  const { ledger } = new SqlFaultStore(opened.client);
  leading = await leadOn({ opened, hotTier: counted as HotTier, clock, ledger });
});
afterAll(async () => {
  const unfollowed = leading.unfollow();
  await clock.advance(0);
  await unfollowed;
  await opened.close();
});

const xid = (uuid: string, timeMs: number, code: number): TestRecord => ({
  ...{ uuid, hostname: uuid, timeMs, metrics: { xid_error: code } },
});

/** Stores records as another process does, and evaluates what a read of the store finds. */
async function store(records: readonly TestRecord[]): Promise<void> {
  await opened.store.ingest(messageOf(`message-${(messages += 1)}`, makeBatch(records)));
  // a read may have begun before
  const seen = reads + 1;
  await until(async () => {
    await clock.advance(500);
    return reads > seen;
  });
  await leading.evaluation.step();
}

async function told(fromMs: number): Promise<readonly string[]> {
  const { news } = await new SqlFaultStore(opened.client).queries.news({ after: 0, limit: 1000 });
  return news
    .flatMap(({ change, fault: { subject, name } }) =>
      name.startsWith("nvidia") ? [`${subject.uuid} ${name} at ${(change.atMs - fromMs) / 1000}`] : [],
    )
    .toSorted();
}

test("an XID is told that a newer record has superseded before the store was read", async () => {
  for (let round = 0; round < 4; round += 1) {
    const nextMs = clock.nowMs() + 60_000;
    await store(["early", "late"].map((uuid) => xid(uuid, clock.nowMs(), 0)));
    await clock.advance(Math.max(0, nextMs - clock.nowMs()));
  }
  const nowMs = clock.nowMs();
  await store([
    ...[xid("early", nowMs - 8000, 79), xid("early", nowMs, 0)],
    ...[xid("late", nowMs - 8000, 0), xid("late", nowMs, 79)],
    ...[-8000, -4000, 0].map((at) => xid("new", nowMs + at, at === -4000 ? 79 : 0)),
    // more than are usual
    ...Array.from({ length: 40 }, (_, at) => xid("many", nowMs - at * 1000, at === 38 ? 79 : 0)),
  ]);
  expect(await told(nowMs)).toEqual([
    "early nvidia.xid.79 at -8",
    "late nvidia.xid.79 at 0",
    "many nvidia.xid.79 at -38",
    "new nvidia.xid.79 at -4",
  ]);
}, 60_000);

test("what a device was thought to have missed may be less than what it has", async () => {
  const toMs = clock.nowMs();
  const missed = new MissedRecords({
    history: opened.queries.history,
    ask: (question) => question(),
    onSkipped: (error) => expect(error).toBeUndefined(),
  });
  const uuids = ["many", ...Array.from({ length: 1999 }, (_, index) => `absent ${index}`)];
  const found = await missed.within(uuids.map((uuid) => ({ uuid, fromMs: startMs, toMs, records: 2 })));
  expect([found.length, new Set(found.map(({ timeMs }) => timeMs)).size]).toEqual([40, 40]);
});
