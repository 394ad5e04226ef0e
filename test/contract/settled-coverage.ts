import { expect, test } from "bun:test";
import fc from "fast-check";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { coverageHourMs } from "../../src/domain/coverage.ts";
import type { GpuBounds } from "../../src/domain/gpu-bounds.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { settleTo } from "../support/settled.ts";

const t0 = Date.UTC(2025, 6, 18, 10);
const hours = 3;
const uuids = ["a", "b", "b:mig:1:1g.10gb"];

/** Records of a device from an instant on; places and workloads change within hours. */
const stretch = fc.record({
  device: fc.nat(uuids.length - 1),
  fromMs: fc.integer({ min: 0, max: hours * coverageHourMs - 1 }),
  stepMs: fc.oneof(fc.integer({ min: 1, max: 600_000 }), fc.constantFrom(1000, 15_000, 0.125)),
  records: fc.oneof(fc.nat(20), fc.nat(150)),
  host: fc.constantFrom("h1", "h1", "h2"),
  namespace: fc.constantFrom("", "n1", "n2"),
  sharing: fc.constantFrom("", "", "n2"),
});
const said = fc.record({
  action: fc.constantFrom("maintenance" as const, "decommission" as const),
  device: fc.nat(uuids.length - 1),
  fromMs: fc.integer({ min: 0, max: hours * coverageHourMs }),
  lastsMs: fc.integer({ min: 1, max: coverageHourMs }),
});

type Stretch = typeof stretch extends fc.Arbitrary<infer T> ? T : never;

function recordsOf(prefix: string, { device, fromMs, stepMs, records, ...held }: Stretch): TestRecord[] {
  const workload = { container: "", pod: "", namespace: held.namespace };
  return Array.from({ length: records }, (_, index) => ({
    uuid: `${prefix} ${uuids[device]}`,
    timeMs: t0 + fromMs + index * stepMs,
    metrics: { temperature: index },
    clusterId: prefix,
    hostname: `${prefix} ${held.host}`,
    workload,
    sharing: held.sharing === "" ? [] : [{ ...workload, namespace: held.sharing }],
  }));
}

const bounds: fc.Arbitrary<(clusterId: string) => GpuBounds | undefined> = fc.constantFrom(
  () => undefined,
  () => undefined,
  (clusterId: string) => ({ hosts: [`${clusterId} h1`] }),
  () => ({ namespaces: ["n2"] }),
  (clusterId: string) => ({ hosts: [`${clusterId} h2`], namespaces: ["n1", "n2"] }),
);

/** The answers that follow from when a fleet's records were. */
async function answersOf({ queries, inventory }: OpenStore, clusterId: string, within: GpuBounds | undefined) {
  const range = { fromMs: t0, toMs: t0 + hours * coverageHourMs };
  const gpus = { clusterId, ...(within && { within }) };
  const filter = { groupBy: "device", gpus, step: "hour", range, nowMs: range.toMs, limit: 1000 } as const;
  return [
    await queries.coverage.coverage(filter),
    await queries.aggregates.countRecords(clusterId, within),
    await inventory.items({ clusterId, limit: 100, ...(within && { within }) }),
  ];
}

/** The contract that coverage, counts and the inventory do not depend on how much of the history is settled. */
export function exerciseSettledCoverage(name: string, open: () => Promise<OpenStore>, runs: number): void {
  test(`${name} answers the same from rows, from blocks, and from both, when records came`, async () => {
    const opened = await open();
    let run = 0;
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(stretch, { minLength: 1, maxLength: 6 }),
          fc.array(said, { maxLength: 2 }),
          bounds,
          async (stretches, spans, boundsOf) => {
            const prefix = `fleet ${run++}`;
            for (const [index, each] of stretches.entries())
              await opened.store.ingest(messageOf(`${prefix} ${index}`, makeBatch(recordsOf(prefix, each))));
            for (const { action, device, fromMs, lastsMs } of spans) {
              const toMs = action === "maintenance" ? t0 + fromMs + lastsMs : undefined;
              const subject = { uuid: `${prefix} ${uuids[device]}` };
              await opened.inventory.change({ action, subject, fromMs: t0 + fromMs, toMs, note: "" });
            }
            // settling makes the instants exact at which GPUs were last seen
            await settleTo(opened.client, "everything");
            const ask = () => answersOf(opened, prefix, boundsOf(prefix));
            const settled = await ask();
            await settleTo(opened.client, "half");
            expect(await ask()).toEqual(settled);
            await settleTo(opened.client, "nothing");
            expect(await ask()).toEqual(settled);
          },
        ),
        { numRuns: runs },
      );
    } finally {
      await opened.close();
    }
  }, 120_000);
}
