import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import { propertyRuns } from "../support/property-runs.ts";

const t0 = Date.UTC(2025, 6, 18, 14);

/** The expected history of one GPU: instant and value of each record whose value differs from that of the record before it. */
function spansOf(records: readonly TestRecord[], valueOf: (record: TestRecord) => string): [number, string][] {
  const spans: [number, string][] = [];
  for (const record of [...records].sort((a, b) => a.timeMs - b.timeMs)) {
    if (spans.at(-1)?.[1] !== valueOf(record)) spans.push([record.timeMs, valueOf(record)]);
  }
  return spans;
}

const namespaceOf = ({ workload }: TestRecord): string => workload?.namespace ?? "";
const hostOf = ({ hostname = "" }: TestRecord): string => hostname;

/** Records of GPUs that move between hosts and namespaces. No two records of a GPU have the same instant. Each batch has one
 *  host. */
const arbitraryBatches = (gpus: number) =>
  fc
    .uniqueArray(
      fc.record({
        gpu: fc.nat({ max: gpus - 1 }),
        second: fc.nat({ max: 40 }),
        batch: fc.nat({ max: 5 }),
        namespace: fc.constantFrom("", "red", "blue"),
      }),
      { minLength: 1, maxLength: 40, selector: ({ gpu, second }) => gpu * 1000 + second },
    )
    .chain((places) =>
      fc.record({
        places: fc.constant(places),
        hosts: fc.array(fc.constantFrom("h1", "h2"), { minLength: 6, maxLength: 6 }),
      }),
    );

/** The contract of a store's history of GPU states.
 *  @param another opens the same store once more */
export function exerciseGpuStateHistory(
  name: string,
  open: () => Promise<OpenStore>,
  another: () => Promise<OpenStore>,
): void {
  describe(`${name} keeps the history of GPUs`, () => {
    let opened: OpenStore;
    let second: OpenStore;
    beforeAll(async () => {
      opened = await open();
      second = await another();
    });
    afterAll(async () => void (await Promise.all([opened.close(), second.close()])));

    test("a query finds the namespace that held a GPU at 14:05, and the GPU's host at that time", async () => {
      const record = (minute: number, hostname: string, namespace: string) =>
        makeBatch([
          {
            uuid: "queried",
            hostname,
            timeMs: t0 + minute * 60_000,
            metrics: { temperature: 1 },
            workload: { container: "c", pod: "p", namespace },
          },
        ]);
      await opened.store.ingest(messageOf("queried-1", record(0, "host-1", "red")));
      await opened.store.ingest(messageOf("queried-2", record(4, "host-1", "blue")));
      await opened.store.ingest(messageOf("queried-3", record(9, "host-2", "red")));
      const at = t0 + 5 * 60_000;
      const { attributes, workloads } = await opened.queries.fleet.changes({
        uuid: "queried",
        range: { fromMs: at, toMs: at + 1 },
      });
      expect(workloads).toEqual([
        { fromMs: t0 + 4 * 60_000, occupants: [{ container: "c", pod: "p", namespace: "blue" }] },
      ]);
      expect(attributes).toMatchObject([{ fromMs: t0, hostname: "host-1", gpuId: 0, driverVersion: "535" }]);
      const all = await opened.queries.fleet.changes({ uuid: "queried", range: allTime });
      expect(all.workloads.map(({ occupants }) => occupants[0]?.namespace)).toEqual(["red", "blue", "red"]);
      expect(all.attributes.map(({ hostname }) => hostname)).toEqual(["host-1", "host-2"]);
      expect(await opened.queries.fleet.changes({ uuid: "unknown", range: allTime })).toEqual({
        attributes: [],
        workloads: [],
      });
    });

    test("the history follows the records' times, in any order of arrival, and with two concurrent collectors", async () => {
      let run = 0;
      const property = fc.asyncProperty(arbitraryBatches(3), fc.boolean(), async ({ places, hosts }, isAtOnce) => {
        run += 1;
        const records = places.map(({ gpu, second: at, batch, namespace }) => ({
          batch,
          uuid: `run-${run}-gpu-${gpu}`,
          hostname: hosts[batch] as string,
          timeMs: t0 + at * 1000,
          metrics: { temperature: at },
          workload: { container: "", pod: "", namespace },
        }));
        const batches = [...Map.groupBy(records, ({ batch }) => batch)];
        const ingest = ([batch, ofBatch]: (typeof batches)[number]) =>
          (batch % 2 === 0 ? opened : second).store.ingest(messageOf(`history-${run}-${batch}`, makeBatch(ofBatch)));
        if (isAtOnce) await Promise.all(batches.map(ingest));
        else for (const each of batches) await ingest(each);
        for (const [uuid, ofGpu] of Map.groupBy(records, (record) => record.uuid)) {
          const { attributes, workloads } = await opened.queries.fleet.changes({ uuid, range: allTime });
          expect(workloads.map(({ fromMs, occupants }) => [fromMs, occupants[0]?.namespace ?? ""])).toEqual(
            spansOf(ofGpu, namespaceOf),
          );
          expect(attributes.map(({ fromMs, hostname }) => [fromMs, hostname])).toEqual(spansOf(ofGpu, hostOf));
          const [gpu] = await second.queries.fleet.gpus({ uuids: [uuid] });
          const times = ofGpu.map(({ timeMs }) => timeMs);
          expect(gpu).toMatchObject({
            hostname: spansOf(ofGpu, hostOf).at(-1)?.[1],
            firstSeenAtMs: Math.min(...times),
            lastSeenAtMs: Math.max(...times),
          });
        }
      });
      await fc.assert(property, { numRuns: propertyRuns(12) });
    });

    test("a second delivery of a message, to another collector, leaves the history as it is", async () => {
      const message = messageOf("died", makeBatch([{ uuid: "died", timeMs: t0, metrics: { temperature: 1 } }]));
      await opened.store.ingest(message);
      expect(await second.store.ingest(message)).toMatchObject({ duplicate: true });
      expect((await opened.queries.fleet.changes({ uuid: "died", range: allTime })).attributes).toHaveLength(1);
    });

    test("an attribute that an input leaves empty keeps its earlier value", async () => {
      const complete = makeBatch([{ uuid: "open", timeMs: t0, metrics: { temperature: 1 } }]);
      const later = makeBatch([{ uuid: "open", timeMs: t0 + 1000, metrics: { temperature: 1 } }]);
      const emptied = later.gpus.map((gpu) => ({
        ...gpu,
        modelName: "",
        driverVersion: "",
        device: "",
        properties: { serial: "7" },
      }));
      await opened.store.ingest(messageOf("complete", complete));
      await opened.store.ingest(messageOf("emptied", { ...later, gpus: emptied }));
      const [gpu] = await opened.queries.fleet.gpus({ uuids: ["open"] });
      expect(gpu).toMatchObject({ modelName: "NVIDIA H100", driverVersion: "535", device: "nvidia0" });
      expect(gpu?.properties).toMatchObject({ serial: "7", job: 'a "quoted" \\ job' });
    });
  });
}
