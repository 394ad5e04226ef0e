import { expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { dayMs } from "../../src/domain/time-range.ts";
import type { UsageRow, UsageSumFilter } from "../../src/domain/usage/usage.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { settleTo } from "../support/settled.ts";
import { propertyRuns } from "../support/property-runs.ts";

// Whatever is asked, by whomever, days say what their hours say: of holders and of devices, within all bounds, after late records were
// settled, too. GPUs move, fall silent, are shared, held by one namespace for days, and divided.
// TELEMETRY_PROPERTY_RUNS sets the number of fleets.

setDefaultTimeout(120_000);
const numRuns = propertyRuns(1);
const begin = Date.UTC(2026, 0, 5);
const range = { fromMs: begin, toMs: begin + 2 * dayMs };
const uuids = ["GPU-0", "GPU-1", "GPU-1:mig:1:3g.40gb", "GPU-2:mig:1:2g.20gb", "GPU-3", "GPU-4"];

const workload = fc.constantFrom("a", "b").map((namespace) => ({ namespace, pod: `${namespace}-0`, container: "" }));
const arbitraryDevice = fc.array(
  fc.record({
    stepMs: fc.constantFrom(1_200_001, 1_800_000, 3_000_000),
    count: fc.integer({ min: 1, max: 60 }),
    pauseMs: fc.constantFrom(0, 0, 4_000_000, 30_000_000),
    hostname: fc.constantFrom("host-a", "host-a", "host-b"),
    occupants: fc.uniqueArray(workload, { maxLength: 2, selector: ({ namespace }) => namespace }),
  }),
  { minLength: 1, maxLength: 4 },
);
const arbitraryFleet = fc.record({
  phases: fc.tuple(...uuids.map(() => arbitraryDevice)),
  isLate: fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }),
});
type Fleet = typeof arbitraryFleet extends fc.Arbitrary<infer Value> ? Value : never;

function recordsOf({ phases }: Fleet): TestRecord[] {
  return phases.flatMap((ofDevice, device) => {
    let timeMs = begin - 3_600_000;
    return ofDevice.flatMap(({ stepMs, count, pauseMs, hostname, occupants }) => {
      timeMs += pauseMs;
      return Array.from({ length: count }, (_, index) => {
        timeMs += stepMs;
        const metrics = { gpu_utilization: index % 100, power_draw: 100 + (index % 300) };
        return { uuid: uuids[device] as string, timeMs, hostname, sharing: occupants, metrics };
      });
    });
  });
}

const selections: UsageSumFilter["gpus"][] = [
  ...[{}, { uuids: ["GPU-0"] }, { uuids: ["GPU-2"] }, { parentUuid: "GPU-1" }, { hostname: "host-b" }],
  ...[{ namespaces: ["a"] }, { namespaces: ["a", "b"] }, { hosts: ["host-a"] }].map((within) => ({ within })),
  { within: { hosts: ["host-a"], namespaces: ["b"] } },
];

/** A row, and what was asked. */
type Answer = UsageRow & { readonly asked: string };

async function answersOf({ queries }: OpenStore): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const gpus of selections) {
    for (const groupBy of gpus.within === undefined ? (["device"] as const) : (["device", "pod"] as const)) {
      const filter = { gpus, holder: {}, range, groupBy, step: "day", rowsMax: 10_000 } as const;
      const rows = await queries.usage.sums(filter);
      answers.push(...rows.map((row) => ({ ...row, asked: JSON.stringify([gpus, groupBy]) })));
    }
  }
  return answers;
}

const times = ["allocatedSeconds", "unallocatedSeconds", "unknownSeconds", "sharedSeconds", "unsizedSeconds"] as const;
const figures = ["activeSeconds", "idleSeconds", "energyJoules", "otherJoules"] as const;

/** Times to the millisecond, other figures about: sums of doubles depend on their order. */
function expectSame(found: readonly Answer[], expected: readonly Answer[]): void {
  const namesOf = ({ asked, timeMs, group, devices }: Answer) => [asked, timeMs, ...group, devices];
  expect(found.map(namesOf)).toEqual(expected.map(namesOf));
  for (const [index, row] of found.entries()) {
    const other = expected[index] as Answer;
    const differs = [
      ...times.filter((name) => Math.abs(row[name] - other[name]) > 0.001),
      ...figures.filter((name) => Math.abs(row[name] - other[name]) > 2),
    ];
    expect([namesOf(row), differs.map((name) => [name, row[name]])]).toEqual([
      namesOf(row),
      differs.map((name) => [name, other[name]]),
    ]);
    const { utilization, effectiveBy, energyBy, holdersMax } = other;
    expect([namesOf(row), row.effectiveBy, row.energyBy, row.holdersMax]).toEqual([
      ...[namesOf(row), effectiveBy, energyBy, holdersMax],
    ]);
    expect(row.utilization?.max).toBe(utilization?.max);
  }
}

async function settleDays({ client, settling }: OpenStore): Promise<void> {
  await settleTo(client, "everything");
  while (await settling.rollUpDay());
}

test("what days say is what their hours say, within all bounds, and after late records", async () => {
  const property = fc.asyncProperty(arbitraryFleet, async (fleet) => {
    const opened = await openMemoryStore();
    try {
      // the days end when later hours are settled
      const records = [...recordsOf(fleet), { uuid: "GPU-9", timeMs: range.toMs + 7_200_000, metrics: {} }];
      const parts = Map.groupBy(records, (_, index) => fleet.isLate[Math.floor(index / 40) % fleet.isLate.length]);
      await opened.store.ingest(messageOf("first", makeBatch(parts.get(false) ?? [])));
      await opened.store.ingest(messageOf("end", makeBatch(records.slice(-1))));
      await settleDays(opened);
      await opened.store.ingest(messageOf("late", makeBatch(parts.get(true) ?? [])));
      await settleDays(opened);
      const ofDays = await answersOf(opened);
      const days = await opened.client.query("delete from usage_days returning from_at");
      expect(days.length).toBeGreaterThan(0);
      expectSame(ofDays, await answersOf(opened));
    } finally {
      await opened.close();
    }
  });
  // a failure names the seed; to make it smaller would take minutes
  await fc.assert(property, { numRuns, endOnFailure: true });
});
