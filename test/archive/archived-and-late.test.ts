import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { makeBatch, messageOf, type TestRecord } from "../../dev/make-batch.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { HourWriter } from "../../src/pipeline/upkeep/archive/hour-writer.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { archiveFormat } from "../../src/roles/open-archive.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { readParquet } from "../support/parquet.ts";
import { propertyRuns } from "../support/property-runs.ts";

setDefaultTimeout(120_000);

/** A store with its archive. */
interface Archived {
  readonly opened: OpenStore;
  readonly folder: string;
  /** The files of the hour that is written. */
  files: readonly { readonly clusterId: string; readonly path: string }[];
}

/** One whose records are deleted after they have been archived, and one that has all records at once. */
let deleting: Archived;
let whole: Archived;
const openArchived = async (): Promise<Archived> => ({
  ...{ opened: await openMemoryStore(), folder: mkdtempSync(join(tmpdir(), "archived-")), files: [] },
});
beforeAll(async () => void ([deleting, whole] = [await openArchived(), await openArchived()]));
afterAll(async () => {
  for (const { opened } of [deleting, whole]) await opened.close();
});
beforeEach(() => {
  for (const archived of [deleting, whole]) archived.files = [];
});
afterEach(async () => {
  for (const { opened, folder } of [deleting, whole]) {
    await deleteRecords(opened);
    rmSync(folder, { recursive: true, force: true });
  }
});

const hour = Date.UTC(2025, 0, 1, 5);
let messages = 0;

/** A uuid that no other test has: what is known of the GPUs of deleted records stays. */
const newUuid = (name: string): string => `GPU-${name}-${(messages += 1)}`;

async function store({ opened }: Archived, records: readonly TestRecord[]): Promise<void> {
  for (const record of records) await opened.store.ingest(messageOf(`m${(messages += 1)}`, makeBatch([record])));
}

/** Deletes what is older than a day: everything. */
async function deleteRecords({ retention, client }: OpenStore): Promise<void> {
  await retention.deleteOlder({ raw: 1, "1h": 0, usage: 0 }, "deleted");
  expect(await client.query("select 1 from telemetry union all select 1 from blocks")).toEqual([]);
}

async function archive(archived: Archived): Promise<void> {
  const files = openArchiveFiles(archived.folder);
  const writer = new HourWriter({ queries: archived.opened.queries, files, format: archiveFormat });
  const written = await writer.write(hour, archived.files, () => Promise.resolve());
  const others = archived.files.filter(({ clusterId }) => written.every((file) => file.clusterId !== clusterId));
  archived.files = [...others, ...written];
}

type Row = Readonly<Record<string, unknown>>;

/** The rows of the hour, without what has no value. */
async function rowsOf({ folder, files }: Archived): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { path } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    if (!existsSync(join(folder, path))) continue;
    for (const row of await readParquet(readFileSync(join(folder, path)).buffer)) {
      const present = Object.entries(row).filter(([, value]) => value !== null);
      rows.push(Object.fromEntries(present.map(([name, value]) => [name, sortedJson(name, value)])));
    }
  }
  return rows;
}

const sortedJson = (name: string, value: unknown): unknown =>
  name === "custom" || name === "properties"
    ? Object.entries(JSON.parse(value as string) as object).sort(([a], [b]) => (a < b ? -1 : 1))
    : value;

/** The rows after records were archived and deleted, and others came late. */
async function rowsWithLate(before: readonly TestRecord[], late: readonly TestRecord[]): Promise<Row[]> {
  await store(deleting, before);
  await archive(deleting);
  await deleteRecords(deleting.opened);
  await store(deleting, late);
  await archive(deleting);
  return rowsOf(deleting);
}

/** What two rules of merging make of the records of one GPU and instant. */
const merged = async (before: Partial<TestRecord>, late: Partial<TestRecord>): Promise<Row | undefined> => {
  const place = { uuid: newUuid("merged"), timeMs: hour, metrics: {} };
  const rows = await rowsWithLate([{ ...place, ...before }], [{ ...place, ...late }]);
  expect(rows).toHaveLength(1);
  return rows[0];
};

test("of a value in the archive and one that comes late for the same device, instant and series, the greater one is kept", async () => {
  const before = { temperature: 30.05, power_draw: 100, 'other{a="1"}': 5, 'other{a="2"}': 1 };
  const late = { temperature: 1, power_draw: 200, 'other{a="1"}': 1, 'other{a="2"}': 5, my_metric: 2 };
  expect(await merged({ metrics: before }, { metrics: late })).toMatchObject({
    ...{ temperature: 30.05, power_draw: 200 },
    custom: [
      ...[
        ["my_metric", 2],
        ['other{a="1"}', 5],
        ['other{a="2"}', 5],
      ],
    ],
  });
});

test("a plain value follows from the series in the archive and those that come late", async () => {
  const row = await merged(
    { metrics: { xid_errors: 4, 'xid_errors{xid="31"}': 4 } },
    { metrics: { xid_errors: 1, 'xid_errors{xid="45"}': 1 } },
  );
  expect(row).toMatchObject({
    xid_errors: 5,
    custom: [
      ['xid_errors{xid="31"}', 4],
      ['xid_errors{xid="45"}', 1],
    ],
  });
});

test("workloads in the archive stay when another one comes late, and so do labels and the greater text of each", async () => {
  const held = (pod: string) => ({ container: "c", pod, namespace: "ml" });
  const row = await merged(
    { metrics: { temperature: 5 }, workload: held("a"), properties: { job: "y", rack: "1" }, driverVersion: "550" },
    { metrics: { temperature: 4 }, workload: held("b"), properties: { job: "x", row: "2" }, driverVersion: "535" },
  );
  expect(JSON.parse(row?.["occupants"] as string)).toEqual([held("a"), held("b")]);
  const properties = [
    ["job", "y"],
    ["rack", "1"],
    ["row", "2"],
  ];
  expect(row).toMatchObject({ pod: "a", properties, driver_version: "550" });
});

test("what is known of a GPU better since its hour was written is in its file, with what the store leaves open", async () => {
  const uuid = newUuid("completed");
  const metrics = { temperature: 5 };
  const at = { uuid, timeMs: hour + 1000, metrics, driverVersion: "", properties: {} };
  await store(deleting, [{ ...at, timeMs: hour, driverVersion: "535", properties: { rack: "z" } }, at]);
  await archive(deleting);
  await store(deleting, [{ ...at, timeMs: hour + 500, driverVersion: "530", properties: { rack: "b" } }]);
  await archive(deleting);
  expect((await rowsOf(deleting)).map(({ driver_version }) => driver_version)).toEqual(["535", "530", "530"]);
  await deleteRecords(deleting.opened);
  const again = newUuid("again");
  const open = { uuid: again, timeMs: hour, metrics, driverVersion: "", properties: {} };
  const rows = await rowsWithLate([{ ...open, driverVersion: "535", properties: { rack: "z" } }], [open]);
  const row = rows.find((each) => each["uuid"] === again);
  expect(row).toMatchObject({ driver_version: "535", properties: [["rack", "z"]] });
});

test("of two hosts, the record of the one whose name comes first is kept, in the archive or late", async () => {
  const a = { hostname: "a", metrics: { temperature: 1 }, clusterId: "of-a" };
  const b = { hostname: "b", metrics: { temperature: 9, power_draw: 5 }, clusterId: "of-b" };
  for (const [before, late] of [
    [a, b],
    [b, a],
  ] as const) {
    const row = await merged(before, late);
    expect(row).toMatchObject({ hostname: "a", cluster_id: "of-a", temperature: 1 });
    expect(row).not.toHaveProperty("power_draw");
    deleting.files = [];
    await deleteRecords(deleting.opened);
  }
});

const held = fc.constantFrom("", "a", "b");
const names = [
  ...["temperature", "power_draw", "xid_errors", "my_metric", "__proto__"],
  ...['xid_errors{xid="31"}', 'xid_errors{xid="45"}', 'xid_errors{vgpu="a",xid="45"}', 'xid_errors{vgpu="b",xid="45"}'],
  ...['gpu_health_status{health_watch="MEM"}', 'gpu_health_status{health_watch="NVLINK"}', 'other{nvlink="1"}'],
];
/** Each device has one instant, and each label one text: what a record leaves open depends on what is known of other instants. */
const arbitraryRecord = fc
  .record({
    device: fc.nat({ max: 3 }),
    hostname: fc.constantFrom("host-a", "host-a", "host-a", "host-b"),
    clusterId: fc.constantFrom("one", "one", "two"),
    gpuId: fc.nat({ max: 1 }),
    driverVersion: fc.constantFrom("", "550"),
    properties: fc.subarray(["job", "rack", "__proto__"]),
    workload: fc.record({ container: held, pod: held, namespace: held }),
    values: fc.uniqueArray(fc.tuple(fc.constantFrom(...names), fc.nat({ max: 20 })), {
      ...{ minLength: 1, maxLength: 3, selector: ([name]) => name },
    }),
    isLate: fc.boolean(),
  })
  .map(({ device, values, properties, ...record }) => ({
    ...{ ...record, uuid: `GPU-${device}`, timeMs: hour + device * 1000 },
    metrics: Object.fromEntries(values),
    properties: Object.fromEntries(properties.map((name) => [name, "x"])),
  }));

const numRuns = propertyRuns(12);

test(
  "records that are archived and deleted, and others that come late, give the same files as all of them at once",
  async () => {
    const records = fc.array(arbitraryRecord, { minLength: 1, maxLength: 12 });
    const property = fc.asyncProperty(records, async (drawn) => {
      const run = newUuid("split");
      const all = drawn.map((record) => ({ ...record, uuid: `${run}-${record.uuid}` }));
      for (const archived of [deleting, whole]) {
        await deleteRecords(archived.opened);
        archived.files = [];
        rmSync(archived.folder, { recursive: true, force: true });
      }
      await store(whole, all);
      await archive(whole);
      const late = all.filter(({ isLate }) => isLate);
      const rows = await rowsWithLate(
        all.filter(({ isLate }) => !isLate),
        late,
      );
      const expected = await rowsOf(whole);
      expect(rows).toEqual(expected);
      expect(rows).toHaveLength(new Set(all.map(({ uuid }) => uuid)).size);
    });
    await fc.assert(property, { numRuns, endOnFailure: true });
  },
  60_000 + numRuns * 10_000,
);

test("the records of an hour are in one file each when all of a cluster turn out to be of another one", async () => {
  const uuid = newUuid("moved");
  await store(deleting, [{ uuid, timeMs: hour, hostname: "b", clusterId: "left", metrics: { temperature: 1 } }]);
  await archive(deleting);
  await store(deleting, [{ uuid, timeMs: hour, hostname: "a", clusterId: "joined", metrics: { temperature: 2 } }]);
  await archive(deleting);
  expect((await rowsOf(deleting)).map(({ cluster_id, temperature }) => [cluster_id, temperature])).toEqual([
    ["joined", 2],
  ]);
  // a file without rows can be read, and is continued
  await archive(deleting);
  expect(await rowsOf(deleting)).toHaveLength(1);
});
