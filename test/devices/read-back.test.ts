import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parse } from "csv-parse/sync";
import { writeFleetCsv } from "../../dev/fleet-csv.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { CsvFolder } from "../support/csv-reading.ts";
import { randomFrom } from "../support/random.ts";
import { aggregateQuery, aggregatesByKey, expectedAggregates } from "./aggregates.ts";
import { getJson, type Json, outputs } from "./every-output.ts";
import { type Expected, independentReading, keyOf, without } from "./independent-reading.ts";
import { readUpdates, updateKey, updateOf } from "./live-updates.ts";
import type { Row } from "./rules-for-rows.ts";
import { csvOf, shuffled, troubled } from "./troubled-fleet.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";

// A fleet with MIG instances, shared GPUs and labelled series goes through a whole process with an embedded store, and every
// value that the API returns is compared with an independent reading of the file.

/** With this seed, the file has everything that the first test looks for. */
const usualSeed = 5;
const seed = Number(process.env["DEVICES_SEED"] ?? usualSeed);
const clusterId = "devices";
const exporterColumns = [
  ...["timestamp", "metric_name", "gpu_id", "device", "uuid", "modelName", "Hostname"],
  ...["container", "pod", "namespace", "value", "labels_raw"],
];
const dir = mkdtempSync(join(tmpdir(), "devices-"));
const files = new CsvFolder();
afterAll(() => {
  rmSync(dir, { recursive: true });
  files.remove();
});

let rows: Row[];
beforeAll(async () => {
  const path = join(dir, "fleet.csv");
  // less than the 16 MiB at which a batch ends at the latest
  const fleet = { hosts: 3, "gpus-per-host": 6, seconds: 360, interval: "30s", seed };
  await writeFleetCsv(path, { ...fleet, mig: 0.5, "time-slicing": 0.2, vgpu: 0.1, series: 0.4 });
  rows = troubled(parse(await Bun.file(path).text(), { columns: true }), randomFrom(seed));
});

/** How a file is written and read. */
interface Variant {
  readonly name: string;
  readonly write: (random: () => number) => string;
  readonly batchRows: (random: () => number) => number;
  /** True if no batch ends within an instant. */
  readonly hasWholeInstants: boolean;
}

const byTime = (a: Row, b: Row): number => Date.parse(a["timestamp"] ?? "") - Date.parse(b["timestamp"] ?? "");

const variants: readonly Variant[] = [
  {
    name: "a file in the order of time, in batches of whole instants",
    write: (random) => csvOf(shuffled(rows, random).sort(byTime), exporterColumns),
    batchRows: () => 100,
    hasWholeInstants: true,
  },
  {
    name: "a file in any order, in one batch",
    write: (random) => csvOf(shuffled(rows, random), exporterColumns),
    batchRows: () => 50_000,
    hasWholeInstants: true,
  },
  {
    name: "a file in any order, in small batches",
    // the timestamp is not the first column, so that a batch does not grow to the end of an instant
    write: (random) => csvOf(shuffled(rows, random), shuffled(exporterColumns, random)),
    batchRows: (random) => 50 + Math.floor(random() * 500),
    hasWholeInstants: false,
  },
];

test.skipIf(seed !== usualSeed)("the file has everything that the simulation and the troubles are about", () => {
  const { records, gpus, changes } = independentReading(csvOf(rows, exporterColumns), clusterId);
  const instances = [...gpus.values()].filter((gpu) => "parent_uuid" in gpu);
  const profiles = Map.groupBy(instances, (gpu) => `${String(gpu["parent_uuid"])} ${String(gpu["mig_instance_id"])}`);
  const ends = new Set([...gpus.values()].map((gpu) => gpu["last_seen_at"]));
  const starts = new Set(instances.map((gpu) => gpu["first_seen_at"]));
  const custom = [...records.values()].flatMap((record) => Object.keys(record["custom"] ?? {})).join("\n");
  const states = [...changes.values()].flatMap((each) => [each["attributes"] as Json[]]);
  expect({
    recutInstances: [...profiles.values()].some(({ length }) => length > 1),
    createdAndDestroyedInstances: starts.size > 3 && ends.size > 3,
    sharedGpus: [...records.values()].filter((record) => "occupants" in record).length > 20,
    series: ["nvlink", "xid", "clock_event", "health_watch", "health_error_code", "vgpu"].filter(
      (label) => !custom.includes(`${label}="`),
    ),
    movedThereAndBack: states.some((ofGpu) => {
      const hosts = ofGpu.map((state) => state["hostname"]);
      const places = hosts.filter((host, index) => host !== hosts[index - 1]);
      return places.length > new Set(places).size;
    }),
    clones: ["a-clone", "z-clone"].map((host) => [...records.values()].some((record) => record["hostname"] === host)),
  }).toEqual({
    recutInstances: true,
    createdAndDestroyedInstances: true,
    sharedGpus: true,
    series: [],
    movedThereAndBack: true,
    clones: [true, false],
  });
});

for (const variant of variants) {
  describe(variant.name, () => {
    let database: ProvidedDatabase;
    let expected: Expected;
    let pipeline: PipelineProcess;
    let url: string;
    let report: string;
    beforeAll(async () => {
      const random = randomFrom(seed + 1);
      const csv = variant.write(random);
      expected = independentReading(csv, clusterId);
      const settings = { CSV_FILE: files.write(csv, `${variant.name.replaceAll(/\W+/g, "-")}.csv`), LOG_LEVEL: "warn" };
      const batches = { BATCH_SIZE: String(variant.batchRows(random)) };
      database = await provideDatabase();
      pipeline = startPipeline({ ...settings, ...batches, CLUSTER_ID: clusterId, DATABASE_URL: database.url });
      url = await urlOf(pipeline);
      [report] = (await pipeline.waitFor(/Imported [\s\S]*samples\/s.*\n/, 120_000)) as unknown as [string];
    }, 180_000);
    afterAll(async () => {
      await stopPipeline(pipeline);
      await database.stop();
    });

    for (const output of outputs) {
      test(`the history has exactly the records of the file, as ${output.name}`, async () => {
        const found = await output.history(url);
        expect(differences(byKey(found, keyOf), expected.records)).toEqual([]);
        expect(found).toHaveLength(expected.records.size);
        expect(new Set(found.map((record) => record["telemetry_id"])).size).toBe(found.length);
      });

      test(`every GPU and instance is listed with its last place and attributes, as ${output.name}`, async () => {
        const found = (await output.gpus(url)).map((gpu) => without(gpu, "status"));
        const active = new Map([...expected.gpus].map(([uuid, gpu]) => [uuid, { ...gpu, state: "active" }]));
        expect(differences(byKey(found, uuidOf), active)).toEqual([]);
        expect(found).toHaveLength(expected.gpus.size);
      });

      test(`the newest record of every device is the last one of its history, as ${output.name}`, async () => {
        const found = await output.latest(url);
        expect(differences(byKey(found, uuidOf), expected.latest)).toEqual([]);
        expect(found).toHaveLength(expected.latest.size);
      });

      const { changes } = output;
      if (changes === undefined) continue;
      test(`every device has the changes of place, attributes and workloads of the file, as ${output.name}`, async () => {
        const found = await changes(url, [...expected.gpus.keys()]);
        expect(differences(byKey(found, uuidOf), expected.changes)).toEqual([]);
      });
    }

    test("/ws replays exactly the records of the file, and gives the newest record of every device", async () => {
      const records = [...expected.records.values()];
      const since = { since: "2000-01-01T00:00:00Z" };
      const replayed = await readUpdates(url, since, ({ type }) => type === "replayed");
      expect(differences(byKey(replayed, updateKey), byKey(records.map(updateOf), updateKey))).toEqual([]);
      expect(replayed).toHaveLength(records.length);
      const latest = [...expected.latest.values()];
      const newest = await readUpdates(url, {}, (_, updates) => updates === latest.length);
      expect(differences(byKey(newest, updateKey), byKey(latest.map(updateOf), updateKey))).toEqual([]);
    });

    for (const grouping of ["host", "gpu", "namespace"] as const) {
      test(`aggregates by ${grouping} count no value twice and leave none out`, async () => {
        const records = [...expected.records.values()];
        const query = aggregateQuery(records, grouping);
        const { data } = await getJson(`${url}/api/v1/telemetry/aggregates?${query}`);
        expect(differences(aggregatesByKey(data), expectedAggregates(records, grouping))).toEqual([]);
      });
    }

    test("the report counts every row: as a sample, a duplicate, a conflict, or rejected", () => {
      const count = (label: string): number =>
        Number((new RegExp(`${label} +([\\d,]+)`).exec(report)?.[1] ?? "0").replaceAll(",", ""));
      const { rows: read, samples, duplicates, conflicts, missingField, onTwoHosts } = expected.counts;
      expect([count("rows read"), count("records stored")]).toEqual([read, expected.records.size]);
      expect(count("missing_field")).toBe(missingField);
      expect(Math.min(duplicates, conflicts, missingField, onTwoHosts)).toBeGreaterThan(0);
      if (!variant.hasWholeInstants) return;
      const counted = ["samples", "duplicates", "conflicting values", "uuid_on_two_hosts"].map(count);
      expect(counted).toEqual([samples, duplicates, conflicts, onTwoHosts]);
    });

    test("the pipeline's state has every conflict, also those between batches", async () => {
      const { conflicts: found } = (await getJson(`${url}/api/v1/pipeline`)).data;
      const { conflicts } = expected.counts;
      expect(found).toBe(conflicts);
    });
  });
}

const uuidOf = (object: Json): string => String(object["uuid"]);

function byKey(objects: readonly Json[], keyOf: (object: Json) => string): Map<string, Json> {
  return new Map(objects.map((object) => [keyOf(object), object]));
}

/** The first differences, field by field, with both sides. */
function differences(found: ReadonlyMap<string, Json>, expected: ReadonlyMap<string, Json>): unknown[] {
  const keys = [...new Set([...found.keys(), ...expected.keys()])];
  const different = keys.filter((key) => !Bun.deepEquals(found.get(key), expected.get(key)));
  return different.slice(0, 5).flatMap((key): Json[] => {
    const [is, isToBe] = [found.get(key), expected.get(key)];
    if (is === undefined || isToBe === undefined) return [{ key, found: is, expected: isToBe }];
    const fields = [...new Set([...Object.keys(is), ...Object.keys(isToBe)])];
    const wrong = fields.filter((field) => !Bun.deepEquals(is[field], isToBe[field]));
    return wrong.map((field) => ({ key, field, found: is[field], expected: isToBe[field] }));
  });
}
