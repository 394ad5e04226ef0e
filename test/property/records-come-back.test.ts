import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { unshownLog } from "../../dev/unshown-log.ts";
import { until } from "../../dev/until.ts";
import { bodiesOf } from "../../scripts/telemetry/import/pushes.ts";
import { parquetRecords } from "../../scripts/telemetry/import/parquet-records.ts";
import { spellingOf } from "../../src/domain/dialects/spelling-of.ts";
import type { Gpu } from "../../src/domain/gpu.ts";
import { labelNameOf } from "../../src/domain/metrics.ts";
import { migUuid } from "../../src/domain/mig-instance.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { ArchiveUpkeep } from "../../src/pipeline/upkeep/archive-upkeep.ts";
import { archiveFormat } from "../../src/roles/open-archive.ts";
import { type CollectingGateway, openCollectingGateway } from "../archive/collecting-gateway.ts";
import { type FleetRecord, firstSecondMs, gatewayOver, gpuOf } from "../routes/gateway.ts";
import { propertyRuns } from "../support/property-runs.ts";

// What a gateway answers and exports, and what the archive has, is read in as it is: an empty store then answers the same.

setDefaultTimeout(600_000);

const folder = mkdtempSync(join(tmpdir(), "records-come-back-"));
afterAll(() => rmSync(folder, { recursive: true }));

const properties = { job: "dcgm", rack: "12", note: "a, b=c;\n\\d" };
const board = gpuOf("alpha", "host-m", 0, { properties });
const gpus: readonly Gpu[] = [
  board,
  gpuOf("prod Z", "host-m", 1),
  gpuOf("ß-1", "host-n", 0, { properties: {}, driverVersion: "", modelName: "", device: "" }),
  gpuOf("alpha", "host-m", 0, {
    uuid: migUuid({ parentUuid: board.uuid, instanceId: "3", profile: "1g.10gb" }),
    properties,
  }),
  gpuOf("beta", "host-n", 1, { uuid: "MIG-6f1c", properties: { GPU_I_ID: "4", GPU_I_PROFILE: "2g.20gb" } }),
];

/** Names of metrics that mean something else elsewhere, and names that need care. */
const oddNames = [
  ...["value", "metric_name", "timestamp", "uuid", "pod", "device", "cluster_id", "custom", "occupants", "rollup"],
  ...["Temperature", "Power Draw [W]", "xid", "__proto__", "=1+1", 'a "b", c;d', "labels_raw", "mig_instance_id", "0"],
  ...[
    'xid_errors{xid="31"}',
    'xid_errors{xid="79"}',
    'own{nvlink="2"}',
    '{"odd}name",xid="31"}',
    "DCGM_FI_DEV_FAN_SPEED",
  ],
];
const isFree = (name: string): boolean =>
  name.trim() === name && spellingOf(name) === undefined && labelNameOf(name) === undefined;
const customName = fc.oneof(
  fc.constantFrom(...oddNames),
  fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 12 }).filter(isFree),
);
const number = fc.double({ min: -1e6, max: 1e6, noNaN: true }).map((value) => (value === 0 ? 0 : value));
const values = fc.record(
  { gpu_utilization: fc.double({ min: 0, max: 100, noNaN: true }), power_draw: fc.integer({ min: 1, max: 700 }) },
  { requiredKeys: [] },
);
/** A series of a metric of the catalogue has a value that the metric can have. */
const ofSeries = (name: string, value: number): number => (name.startsWith("xid_errors") ? Math.abs(value) : value);
const custom = fc
  .array(fc.tuple(customName, number), { maxLength: 4 })
  .map((entries) => Object.fromEntries(entries.map(([name, value]) => [name, ofSeries(name, value)])));
const workload = fc.constantFrom(
  undefined,
  ...["job-1", "job-2"].map((pod) => ({ container: "c", pod, namespace: "ml" })),
);
const record: fc.Arbitrary<FleetRecord> = fc
  .record({ gpu: fc.constantFrom(...gpus), step: fc.nat(4), values, custom, workload })
  .filter((each) => Object.keys(each.values).length + Object.keys(each.custom).length > 0)
  .map(({ step, workload: held, ...each }) => {
    return { ...each, timeMs: firstSecondMs + 250 * step, ...(held !== undefined && { workload: held }) };
  });
/** One record at least has only a metric outside the catalogue. */
const fleets = fc
  .array(record, { minLength: 1, maxLength: 40 })
  .map((all): readonly FleetRecord[] => [
    { gpu: gpus[1] as Gpu, timeMs: firstSecondMs + 60_000, values: {}, custom: { only_own: 4.5 } },
    ...all,
  ]);

const path = "/api/v1/telemetry?start_time=2000-01-01T00:00:00Z&limit=10000";

/** Everything that is pushed to `target` is taken without a word. */
async function push({ gateway }: CollectingGateway, type: string, body: string): Promise<number> {
  const headers = { "content-type": type };
  const request = new Request("http://localhost/api/v1/telemetry", { method: "POST", body, headers });
  const answer = (await (await gateway.app.handle(request)).json()) as { data: Record<string, unknown> };
  expect(answer.data).toMatchObject({ rejected: [], unread: [], conflicts: 0, duplicates: 0 });
  return answer.data["records"] as number;
}

const answered = async ({ gateway }: CollectingGateway, accept: string): Promise<Response> =>
  gateway.app.handle(new Request(`http://localhost${path}`, { headers: { accept } }));

const pushParquet = async (target: CollectingGateway, from: string): Promise<number> => {
  const files = openArchiveFiles(from);
  let records = 0;
  for await (const { path: name } of files.list())
    for await (const body of bodiesOf(parquetRecords(await files.open(name), name)))
      records += await push(target, "application/x-ndjson", body);
  return records;
};

let folders = 0;
const nextFolder = (): string => join(folder, String((folders += 1)));

/** Each form, and how what it has of a store's records is read into another one. */
const forms: Readonly<Record<string, (source: CollectingGateway, target: CollectingGateway) => Promise<number>>> = {
  JSON: async (source, target) =>
    push(target, "application/json", await (await answered(source, "application/json")).text()),
  NDJSON: async (source, target) =>
    push(target, "application/x-ndjson", await (await answered(source, "application/x-ndjson")).text()),
  CSV: async (source, target) => push(target, "text/csv", await (await answered(source, "text/csv")).text()),
  Parquet: async (source, target) => {
    const exported = nextFolder();
    await Bun.write(
      join(exported, "records.parquet"),
      await (await answered(source, "application/vnd.apache.parquet")).arrayBuffer(),
    );
    return pushParquet(target, exported);
  },
  archive: async ({ stored }, target) => {
    const archived = nextFolder();
    const parts = { ledger: stored.archive, queries: stored.queries, files: openArchiveFiles(archived) };
    const upkeep = new SteppedArchive({
      ...{ ...parts, format: archiveFormat, afterMinutes: 0, instanceId: "one", clock, log: unshownLog() },
    });
    await upkeep.step();
    return pushParquet(target, archived);
  },
};

/** Takes its steps when it is told to. */
class SteppedArchive extends ArchiveUpkeep {
  override step(): Promise<void> {
    return super.step();
  }
}

const recordsIn = async ({ stored }: CollectingGateway) =>
  (await stored.queries.history.records({ gpus: {}, range: allTime, limit: 10_000 })).elements;

test("records of several clusters, with own metrics, instances, occupants and labels come back from each form", async () => {
  const property = fc.asyncProperty(fleets, async (records) => {
    const source = await openCollectingGateway(records);
    try {
      const expected = (await (await answered(source, "application/json")).json()) as { data: unknown[] };
      for (const [form, carry] of Object.entries(forms)) {
        const target = await openCollectingGateway([]);
        try {
          expect([form, await carry(source, target)]).toEqual([form, expected.data.length]);
          await until(async () => (await recordsIn(target)).length === expected.data.length);
          const found = await gatewayOver(target.stored).json(path);
          expect([form, found["data"]]).toEqual([form, expected.data]);
          // only Parquet has the labels of GPUs
          if (["Parquet", "archive"].includes(form)) expect(await recordsIn(target)).toEqual(await recordsIn(source));
        } finally {
          await target.close();
        }
      }
    } finally {
      await source.close();
    }
  });
  await fc.assert(property, { numRuns: propertyRuns(1), endOnFailure: true });
});
