import { expect, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { type RollupResolution, rollupMs } from "../../src/domain/query.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settledStates, settleTo } from "../support/settled.ts";

const hourMs = 3_600_000;
const minuteMs = 60_000;
const begin = Date.UTC(2026, 0, 5, 20);
const range = { fromMs: begin - 20 * hourMs, toMs: begin + 124 * hourMs };
/** GPUs, and the minutes between two of their records. */
const steps = { steady: 3, reset: 5, moved: 3, sparse: 6, gaps: 70, below: 4 };

/** Counters across midnight: one that only rises, one that is reset, one of a GPU that moves, two with gaps, and one with values below 0. */
const energyOf: Readonly<Record<string, (index: number) => number>> = {
  reset: (index) => (index % 30) * 17,
  below: (index) => (index % 7) * 3 - 5,
};

function records() {
  return Object.entries(steps).flatMap(([uuid, minutes]) =>
    Array.from({ length: 100 }, (_, index) => ({
      uuid,
      clusterId: "rising",
      hostname: uuid === "moved" && index > 40 ? "host-b" : "host-a",
      timeMs: begin + index * minutes * minuteMs,
      metrics: {
        total_energy_mj: energyOf[uuid]?.(index) ?? 2 ** 50 + index * index,
        gpu_health_status: index,
        power_draw: index,
      },
      sharing: [{ container: "c", pod: "p", namespace: index % 3 === 0 ? "a" : "b" }],
    })),
  );
}

type Counted = ReturnType<typeof records>[number];

interface Rise {
  readonly record: Counted;
  readonly rise: number;
}

/** The rise to each record, by the rule in docs/store.md. */
function risesIn(resolution: RollupResolution): Rise[] {
  const [unitMs, unitsMax] = resolution === "1m" ? [minuteMs, 5] : [hourMs, 1];
  const ofGpus = Map.groupBy(records(), ({ uuid }) => uuid);
  return [...ofGpus.values()].flatMap((ofGpu) =>
    ofGpu.map((record, index) => {
      const before = ofGpu[index - 1];
      const unitOf = ({ timeMs }: Counted): number => Math.floor(timeMs / unitMs);
      if (before === undefined || unitOf(record) - unitOf(before) > unitsMax) return { record, rise: 0 };
      const [last, value] = [before.metrics.total_energy_mj, record.metrics.total_energy_mj];
      return { record, rise: value < last ? Math.max(0, value) : value - last };
    }),
  );
}

/** The sums of rises by a key of their records. */
function sumsBy(keyOf: (record: Counted) => string, rises: readonly Rise[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { record, rise } of rises) sums[keyOf(record)] = (sums[keyOf(record)] ?? 0) + rise;
  return sums;
}

const resolutions = ["1m", "1h", "1d"] as const;

/** The increases of an aggregate, by group and bucket. */
async function increases(
  { queries }: OpenStore,
  asked: Partial<Parameters<typeof queries.aggregates.byGroup>[0]> & { readonly resolution: RollupResolution },
): Promise<Record<string, number | undefined>> {
  const all = { groupBy: "gpu" as const, metrics: ["total_energy_mj"], gpus: {}, range, limit: 1000 };
  const filter = { ...all, withExpected: false, ...asked };
  const rows = await queries.aggregates.byGroup(filter);
  return Object.fromEntries(
    rows.map(({ timeMs, group, metrics }) => [
      `${Object.values(group).at(-1)} ${timeMs}`,
      metrics["total_energy_mj"]?.increase,
    ]),
  );
}

test("the increase of a counter counts each rise once, at its later record, whatever is settled and asked for", async () => {
  const store = await openMemoryStore();
  try {
    await store.store.ingest(messageOf("rising", makeBatch(records())));
    for (const state of settledStates) {
      await settleTo(store.client, state);
      for (const resolution of resolutions) {
        const bucketOf = ({ timeMs }: Counted): number => timeMs - (timeMs % rollupMs[resolution]);
        const rises = risesIn(resolution);
        const byGpu = sumsBy((record) => `${record.uuid} ${bucketOf(record)}`, rises);
        expect(await increases(store, { resolution })).toEqual(byGpu);
        expect(await increases(store, { resolution, groupBy: "namespace" })).toEqual(
          sumsBy((record) => `${record.sharing[0]?.namespace} ${bucketOf(record)}`, rises),
        );
        // a range that begins later has the same buckets
        const fromMs = begin + (resolution === "1m" ? 61 * minuteMs : 2 * hourMs);
        const later = Object.entries(byGpu).filter(([key]) => Number(key.split(" ")[1]) >= fromMs);
        expect(await increases(store, { resolution, range: { ...range, fromMs } })).toEqual(Object.fromEntries(later));
        if (resolution === "1m") {
          // of the GPU that moves, the rise to the first record on the new host counts there
          const ofHost = await increases(store, { resolution, gpus: { hostname: "host-b" } });
          const moved = rises.filter(({ record }) => record.hostname === "host-b");
          expect(ofHost).toEqual(sumsBy((record) => `${record.uuid} ${bucketOf(record)}`, moved));
        }
        const { elements } = await store.queries.history.rollups({ gpus: {}, range: allTime, limit: 1000 }, resolution);
        expect(
          Object.fromEntries(
            elements.map(({ gpu, timeMs, metrics }) => [`${gpu.uuid} ${timeMs}`, metrics["total_energy_mj"]?.increase]),
          ),
        ).toEqual(byGpu);
      }
    }
  } finally {
    await store.close();
  }
}, 60_000);
