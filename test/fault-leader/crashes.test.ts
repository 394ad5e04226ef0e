import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { TermEnded } from "../../src/domain/errors.ts";
import type { FaultLedger, FaultUpdate } from "../../src/faults/fault-store.ts";
import type { Evaluation } from "../../src/faults/leader/evaluation.ts";
import { FaultInstruments } from "../../src/faults/leader/fault-instruments.ts";
import { SqlFaultStore } from "../../src/faults/sql/sql-fault-store.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { held, recordOf, type Said, startMs } from "../fault-rules/scripted-fleet.ts";
import { ManualClock } from "../support/manual-clock.ts";
import type { Inventory } from "../../src/pipeline/store/inventory.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { randomFrom } from "../support/random.ts";
import { type Leading, leadOn } from "./lead-on.ts";

const intervalSeconds = 10;
const endSeconds = 840;
const [hot, full, silent] = [
  { from: 200, to: 560 },
  { from: 300, to: 700 },
  { from: 400, to: 680 },
];
const isIn = ({ from, to }: { readonly from: number; readonly to: number }, at: number): boolean =>
  at >= from && at < to;

/** Two hosts of four GPUs: XIDs, heat that ends, memory that fills, a host that falls silent, and pauses that are too short to be told. */
function scripted(gpu: number, at: number): Said | "silent" {
  if (gpu >= 4 && isIn(silent, at)) return "silent";
  const metrics: Record<string, number> = {};
  if (gpu === 0) metrics.xid_error = at >= 120 ? 79 : 0;
  if (gpu === 1 && isIn(hot, at)) metrics.temperature = 97;
  if (gpu === 2 && at % 60 < 20) metrics.gpu_utilization = 0;
  if (gpu === 3 && isIn(full, at)) Object.assign(metrics, { memory_used_mb: 79_000, memory_free_mb: 1000 });
  if (gpu >= 5) metrics.xid_error = at >= 250 + 30 * gpu - 150 ? 31 : 0;
  return { metrics, occupants: held(`train-${gpu}`) };
}

function recordsAt(at: number): TestRecord[] {
  return Array.from({ length: 8 }, (_, gpu) => gpu).flatMap((gpu) => {
    const said = scripted(gpu, at);
    if (said === "silent") return [];
    const { gpu: device, timeMs, metrics, occupants } = recordOf(gpu, at, said);
    const { uuid, hostname, clusterId } = device;
    return [{ uuid, hostname, clusterId, timeMs, metrics, ...(occupants[0] && { workload: occupants[0] }) }];
  });
}

/** How a leader is lost in a step. */
type Loss = "before it writes" | "after it has written" | "between steps";

class Lost extends Error {}

/** A ledger whose next write is the leader's last act. */
function losing(ledger: FaultLedger, loss: { next: Loss | undefined }): FaultLedger {
  const write = async (update: FaultUpdate): Promise<void> => {
    if (loss.next === "before it writes") throw new Lost();
    await ledger.write(update);
    if (loss.next === "after it has written") throw new Lost();
  };
  return {
    begin: (leader) => ledger.begin(leader),
    states: (after, limit) => ledger.states(after, limit),
    requests: (limit) => ledger.requests(limit),
    lasting: (after, limit) => ledger.lasting(after, limit),
    deleteOld: (days) => ledger.deleteOld(days),
    write,
  };
}

type Losses = ReadonlyMap<number, { readonly loss: Loss; readonly pauseSeconds: number }>;

/** Plays the script. @param losses the second of each loss, with the seconds until another leader begins
 *  @param maintained the seconds in which the second GPU is under maintenance
 *  @returns the states of each fault in the order in which they were told, and the number of all changes */
async function play(losses: Losses, maintained?: { readonly from: number; readonly to: number }) {
  const opened = await openMemoryStore();
  const faults = new SqlFaultStore(opened.client);
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const clock = new ManualClock(startMs);
  const loss: { next: Loss | undefined } = { next: undefined };
  let former: Evaluation | undefined;
  let leading: Leading | undefined;
  const lead = async (): Promise<void> => {
    leading = await leadOn({ opened, hotTier, clock, ledger: losing(faults.ledger, loss) });
  };
  let leadsAt = 0;
  for (let at = 0; at <= endSeconds; at += intervalSeconds) {
    const batch = makeBatch(recordsAt(at));
    await opened.store.ingest(messageOf(`at-${at}`, batch));
    await hotTier.write(batch);
    if (at === maintained?.to) await maintain(opened.inventory, maintained);
    if (at === 600) await acknowledge(faults, "nvidia.xid.79");
    if (at === 720) await reset(faults, "GPU-5");
    const lost = losses.get(at);
    loss.next = lost?.loss;
    if (at >= leadsAt && leading === undefined) await lead();
    const hasLed = leading !== undefined;
    await leading?.evaluation.step().catch((error: unknown) => expect(error).toBeInstanceOf(Lost));
    if (lost !== undefined && hasLed) {
      former = leading?.evaluation;
      await leading?.unfollow();
      leading = undefined;
      leadsAt = at + lost.pauseSeconds;
    }
    await clock.advance(intervalSeconds * 1000);
  }
  if (former !== undefined) expect(await former.step().catch((error: unknown) => error)).toBeInstanceOf(TermEnded);
  const { news, sequence } = await faults.queries.news({ after: 0, limit: 10_000 });
  await opened.close();
  const told: Record<string, string[]> = {};
  for (const { change } of news) (told[change.faultId] ??= []).push(change.state);
  return { told, sequence, count: news.length };
}

async function maintain(inventory: Inventory, { from, to }: { readonly from: number; readonly to: number }) {
  const place = { clusterId: "c1", hostname: "host-0", uuid: "GPU-1" };
  const times = { fromMs: startMs + from * 1000, toMs: startMs + to * 1000 };
  await inventory.change({ ...times, action: "maintenance", subject: place, note: "" });
}

async function acknowledge({ queries, orders }: SqlFaultStore, name: string): Promise<void> {
  const [fault] = (await queries.faults({ name, limit: 1 })).faults;
  await orders.acknowledge({ faultId: fault?.id ?? "", by: "anna", comment: "" });
}

async function reset({ orders }: SqlFaultStore, uuid: string): Promise<void> {
  const place = { clusterId: "c1", hostname: "host-1", uuid };
  await orders.endByBoundary({ place, boundary: "reset", by: "bob", comment: "" });
}

test("whenever leaders are lost, each change is told once, and none is missing", async () => {
  const whole = await play(new Map());
  const names = Object.entries(whole.told).map(([id, states]) => `${id.replace(/@.*/, "")}: ${states.join()}`);
  expect(names.toSorted()).toEqual([
    "gpu.temperature.critical: pending,firing,resolved",
    "gpu.temperature.high: pending,firing,resolved",
    "gpu.temperature.siblings: pending,resolved",
    "host.silent: firing,resolved",
    "memory.full: pending,firing,resolved",
    "nvidia.xid.31: firing",
    "nvidia.xid.31: firing",
    "nvidia.xid.31: firing,resolved",
    "nvidia.xid.79: firing,acknowledged,resolved",
    "nvidia.xid.job:team/train: firing",
  ]);
  expect(whole.sequence).toBe(whole.count);
  const kinds: readonly Loss[] = ["before it writes", "after it has written", "between steps"];
  for (let seed = 1; seed <= 3; seed += 1) {
    const random = randomFrom(seed);
    const losses = new Map(
      [0, 240, 480, 690].map((from) => {
        const at = from + intervalSeconds * Math.floor(random() * 12);
        const loss = kinds[Math.floor(random() * kinds.length)] as Loss;
        return [at, { loss, pauseSeconds: intervalSeconds * Math.floor(random() * 4) }] as const;
      }),
    );
    const { told, sequence, count } = await play(losses);
    expect({ seed, told }).toEqual({ seed, told: whole.told });
    expect(sequence).toBe(count);
  }
}, 120_000);

test("a process that stands by shows no lag", async () => {
  const registry = new Registry();
  new FaultInstruments(registry).standsBy();
  expect(await registry.metrics()).not.toMatch(/^telemetry_fault_lag_seconds/m);
});

test("records of the far future raise nothing, and are counted", async () => {
  const opened = await openMemoryStore();
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const [clock, registry] = [new ManualClock(startMs), new Registry()];
  const faults = new SqlFaultStore(opened.client);
  const { evaluation, unfollow } = await leadOn({ opened, hotTier, clock, ledger: faults.ledger, registry });
  await evaluation.step();
  const failed = { timeMs: startMs + 86_400_000, metrics: { row_remap_failure: 1 } };
  await hotTier.write(makeBatch([{ uuid: "GPU-ahead", ...failed }]));
  await clock.advance(1000);
  await evaluation.step();
  expect((await faults.queries.faults({ limit: 10 })).faults).toEqual([]);
  expect(await registry.metrics()).toContain("telemetry_fault_records_ahead_total 1\n");
  await hotTier.write(makeBatch([{ uuid: "GPU-right", ...failed, timeMs: startMs }]));
  await clock.advance(1000);
  await evaluation.step();
  expect((await faults.queries.faults({ limit: 10 })).faults).toMatchObject([{ name: "memory.row-remap.failed" }]);
  expect(await registry.metrics()).toContain("telemetry_fault_records_ahead_total 1\n");
  await unfollow();
  await opened.close();
});

// without maintenance, the heat of this time is told: the test above loses leaders then too
test("maintenance that ended while nothing evaluated tells no fault of its time", async () => {
  const losses: Losses = new Map([[190, { loss: "between steps", pauseSeconds: 400 }]]);
  const heatOf = ({ told }: Awaited<ReturnType<typeof play>>): string[] =>
    Object.keys(told).filter((id) => /^gpu\.temperature\.(high|critical)@/.test(id));
  expect(heatOf(await play(losses, { from: 190, to: 570 }))).toEqual([]);
}, 60_000);

test.each([
  ["a device that was seen for a moment only is remembered", 2],
  ["devices of which too many came at once to save them all are read again", 1200],
])("%s, when the leader is lost after it has told about another one", async (_, devices) => {
  const opened = await openMemoryStore();
  const faults = new SqlFaultStore(opened.client);
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const clock = new ManualClock(startMs);
  const lead = () => leadOn({ opened, hotTier, clock, ledger: faults.ledger });
  /** A record of each device, a second after the one before; the second device's clock is behind. @param xids the codes that they show */
  const report = async (...xids: readonly number[]): Promise<void> => {
    await clock.advance(1000);
    const nowMs = clock.nowMs();
    const records = xids.map((code, gpu) => ({
      ...{ uuid: `GPU-${gpu}`, timeMs: gpu === 1 ? nowMs - 3000 : nowMs, metrics: { xid_error: code } },
    }));
    const batch = makeBatch(records);
    await opened.store.ingest(messageOf(`at-${nowMs}`, batch));
    await hotTier.write(batch);
  };
  const first = await lead();
  await report(...new Array<number>(devices).fill(0));
  await first.evaluation.step();
  await report(79);
  await first.evaluation.step();
  // the leader is lost: it sees none of this
  await first.unfollow();
  await report(79, 31);
  await report(95, 31);
  const second = await lead();
  await second.evaluation.step();
  const { news } = await faults.queries.news({ after: 0, limit: 10 });
  expect(news.map(({ fault }) => `${fault.subject.uuid} ${fault.name}`)).toEqual([
    "GPU-0 nvidia.xid.79",
    "GPU-1 nvidia.xid.31",
    "GPU-0 nvidia.xid.95",
  ]);
  await second.unfollow();
  await opened.close();
});
