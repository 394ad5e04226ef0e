import { expect, test } from "bun:test";
import type { GpuBounds } from "../../src/domain/gpu-bounds.ts";
import { groupings } from "../../src/domain/query.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo, unsettleAll } from "../support/settled.ts";

const hourMs = 3_600_000;
const held = (namespace: string) => [{ container: "c", pod: "p", namespace }];

/** Decimals, integers that are too large for them, and other doubles; GPUs that move, that are shared, and that change hands. */
function records(fromMs: number, count: number) {
  return Array.from({ length: count }, (_, index) => ({
    uuid: `summed-${index % 4}`,
    clusterId: "sums",
    hostname: index % 4 === 1 && index > count / 2 ? "moved" : `host-${index % 2}`,
    timeMs: fromMs + Math.floor(index / 4) * 97_000,
    metrics: {
      temperature: 20 + ((index * 37) % 600) / 10,
      ...(index % 3 === 0 ? { power_draw: index % 6 === 0 ? index / 7 : 300.125 } : {}),
      total_energy_mj: 2 ** 50 + index * 1001,
      power_violation_ns: index % 50 === 3 ? 0 : index * 7 + index / 7,
    },
    sharing: [[], held("a"), [...held("a"), ...held("b")], held(index % 5 === 0 ? "c" : "b")][index % 4] ?? [],
  }));
}

const metrics = ["temperature", "power_draw", "total_energy_mj", "power_violation_ns", "sm_active"];
const begin = Date.UTC(2026, 0, 5, 10);
const bounds: readonly (GpuBounds | undefined)[] = [undefined, { hosts: ["host-1"] }, { namespaces: ["a"] }];

/** The answers about aggregates and rollups, of all that is stored and within bounds. */
async function answersOf({ queries }: OpenStore): Promise<unknown[]> {
  const answers: unknown[] = [];
  const range = { fromMs: begin - 10 * hourMs, toMs: begin + 17 * hourMs };
  for (const within of bounds) {
    const gpus = within === undefined ? {} : { within };
    for (const resolution of ["1m", "1h", "1d"] as const) {
      for (const groupBy of within === undefined ? groupings : (["host", "namespace"] as const)) {
        const filter = { groupBy, resolution, metrics, gpus, range, limit: 5000, withExpected: true };
        answers.push(await queries.aggregates.byGroup(filter));
      }
      for (const selected of [{ hostname: "host-1" }, { namespace: "b" }, {}] as const) {
        const page = { gpus: { ...gpus, ...selected }, range: allTime, limit: 7, isForward: "namespace" in selected };
        const { elements, next } = await queries.history.rollups(page, resolution);
        answers.push(elements, next && (await queries.history.rollups({ ...page, cursor: next }, resolution)));
      }
      const each = { uuids: ["summed-1", "summed-3", "none"], range: allTime, limit: 3, ...gpus };
      answers.push(await queries.history.rollupsOfEach(each, resolution));
    }
  }
  return answers;
}

test("aggregates and rollups are the same to the bit, whatever is settled, and when late records come", async () => {
  const store = await openMemoryStore();
  try {
    await store.store.ingest(messageOf("sums", makeBatch(records(begin, 400))));
    const before = await answersOf(store);
    for (const state of ["half", "everything"] as const) {
      await settleTo(store.client, state);
      expect(await answersOf(store)).toEqual(before);
    }
    // late records for hours that are settled
    await store.store.ingest(messageOf("late", makeBatch(records(begin + 20_000, 90))));
    const late = await answersOf(store);
    expect(late).not.toEqual(before);
    await settleTo(store.client, "everything");
    expect(await answersOf(store)).toEqual(late);
  } finally {
    await store.close();
  }
}, 120_000);

test("the usual time between records is that of the newest hundred, in however many blocks they are", async () => {
  const minuteMs = 60_000;
  const [often, seldom] = [
    Array.from({ length: 240 }, (_, at) => at * 5),
    Array.from({ length: 18 }, (_, at) => 1200 + at * 20),
  ];
  const timesMs = [...often, ...seldom].map((minutes) => begin + minutes * minuteMs);
  const recordAt = (timeMs: number) => ({
    uuid: "rare",
    clusterId: "rare",
    hostname: "rare",
    timeMs,
    metrics: { temperature: 1 },
  });
  const store = await openMemoryStore();
  try {
    await store.store.ingest(messageOf("rare", makeBatch(timesMs.map(recordAt))));
    const range = { fromMs: begin, toMs: begin + 26 * hourMs };
    const expectedOf = async (within?: GpuBounds) => {
      const gpus = within === undefined ? {} : { within };
      const all = { groupBy: "host", resolution: "1h", metrics: ["temperature"], withExpected: true } as const;
      const filter = { ...all, gpus, range, limit: 100 };
      return (await store.queries.aggregates.byGroup(filter)).map(({ expected }) => expected);
    };
    const before = await expectedOf();
    expect(before.slice(0, 3)).toEqual([12, 12, 12]);
    for (const state of ["half", "everything"] as const) {
      await settleTo(store.client, state);
      expect(await expectedOf()).toEqual(before);
      expect(await expectedOf({ hosts: ["rare"] })).toEqual(before);
    }
  } finally {
    await store.close();
  }
}, 60_000);

test("the usual time between records is that of the newest hundred, although very many older ones are in rows again", async () => {
  const minuteMs = 60_000;
  // two hours with a record a minute, then a record every 10 minutes
  const timesMs = Array.from({ length: 240 }, (_, at) => begin + (at < 120 ? at : 120 + (at - 120) * 10) * minuteMs);
  const store = await openMemoryStore();
  try {
    const records = timesMs.map((timeMs) => ({ uuid: "rare", timeMs, metrics: { temperature: 1 } }));
    await store.store.ingest(messageOf("rare", makeBatch(records)));
    const range = { fromMs: begin, toMs: begin + 22 * hourMs };
    const all = { groupBy: "gpu", resolution: "1h", metrics: ["temperature"], withExpected: true } as const;
    const filter = { ...all, gpus: {}, range, limit: 100 };
    const expectedNow = async () => (await store.queries.aggregates.byGroup(filter)).map(({ expected }) => expected);
    const before = await expectedNow();
    expect(before.slice(0, 3)).toEqual([6, 6, 6]);
    await settleTo(store.client, "everything");
    await unsettleAll(store.client, `where from_at < to_timestamp(${(begin + 2 * hourMs) / 1000})`);
    expect(await expectedNow()).toEqual(before);
  } finally {
    await store.close();
  }
}, 60_000);
