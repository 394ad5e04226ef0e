import { afterAll, expect, test } from "bun:test";
import { CsvFolder, exporterHeader } from "../../support/csv-reading.ts";
import { readRows, readText } from "./read-rows.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const occupantsOf = async (rows: Parameters<typeof readRows>[1]) =>
  (await readRows(folder, rows)).records.map(({ occupants }) => occupants);

test("all pods that share a GPU hold it, in any order of the rows, and the repeated value counts once", async () => {
  const rows = ["pod-x", "pod-y", "pod-z"].map((pod) => ({ pod, namespace: "ml", container: "c" }));
  for (const ordered of [rows, rows.toReversed(), [...rows, ...rows]]) {
    expect(await occupantsOf(ordered)).toEqual([["ml/pod-x/c", "ml/pod-y/c", "ml/pod-z/c"]]);
  }
  const { tally, batches } = await readRows(folder, rows);
  expect(tally).toMatchObject({ samples: 1, duplicates: 2, conflicts: 0 });
  expect(batches[0]?.batch.columns.get("gpu_utilization")).toEqual(Float64Array.of(42));
});

test("a row that names only the pod adds no occupant beside the same pod with its namespace", async () => {
  expect(await occupantsOf([{ pod: "p" }, { pod: "p", namespace: "n" }, { namespace: "n" }])).toEqual([["n/p/"]]);
  expect(await occupantsOf([{ pod: "p", namespace: "a" }, { pod: "p", namespace: "b" }, {}])).toEqual([
    ["a/p/", "b/p/"],
  ]);
});

test("the pod that Prometheus has put into exported_pod holds the GPU, not the exporter's", async () => {
  const exporter = { pod: "dcgm-exporter-7x", namespace: "monitoring", container: "exporter" };
  const more = ',exported_pod="train-0",exported_namespace="ml",exported_container="main"';
  expect(await occupantsOf([{ ...exporter, more }])).toEqual([["ml/train-0/main"]]);
  expect(await occupantsOf([{ ...exporter, more: ',exported_pod="train-0"' }])).toEqual([["/train-0/"]]);
  expect(await occupantsOf([{ ...exporter, more: ',exported_pod="",exported_namespace=""' }])).toEqual([[]]);
});

test("in a file with columns for exported pods, a row without one has no occupant", async () => {
  const text = [
    `${exporterHeader.replace("labels_raw", "exported_pod,exported_namespace")}`,
    "2025-07-18T20:42:34Z,temperature,0,nvidia0,GPU-0,H100,h,exporter,dcgm-7x,monitoring,40,train-0,ml",
    "2025-07-18T20:42:34Z,temperature,1,nvidia1,GPU-1,H100,h,exporter,dcgm-7x,monitoring,41,,",
  ];
  const { records } = await readText(folder, text.join("\n"));
  expect(records.map(({ occupants }) => occupants)).toEqual([["ml/train-0/"], []]);
});

test("exported labels are no properties of the GPU", async () => {
  const { records } = await readRows(folder, [{ more: ',exported_pod="p",exported_job="j"' }]);
  expect(records[0]?.gpu.properties).toEqual({ exported_job: "j", instance: "host-1:9400", job: "dcgm" });
});
