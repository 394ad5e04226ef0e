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

test("a row without a value names no occupant: a missing value, or a text about the GPU", async () => {
  const train = { pod: "train", namespace: "ml" };
  for (const row of [{ metric: "DCGM_FI_DEV_SERIAL", value: "SN-1" }, { value: "N/A" }]) {
    for (const rows of [
      [{ ...row, ...train }, { value: "50" }],
      [{ value: "50" }, { ...row, ...train }],
    ]) {
      expect(await occupantsOf(rows)).toEqual([[]]);
    }
  }
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

const labelled = ',container="main",pod="train-0",namespace="ml"';

test("a workload that only the labels name is not lost because the columns for pods exist and are empty", async () => {
  expect(await occupantsOf([{ more: labelled }])).toEqual([["ml/train-0/main"]]);
  expect(await occupantsOf([{ more: labelled, pod: " ", namespace: "N/A", container: "null" }])).toEqual([
    ["ml/train-0/main"],
  ]);
  expect(await occupantsOf([{ more: labelled, pod: "other" }])).toEqual([["/other/"]]);
  expect(await occupantsOf([{ more: `${labelled},exported_pod="train-1"` }])).toEqual([["/train-1/"]]);
  const wide = [
    "timestamp,gpu_id,uuid,hostname,pod,namespace,temperature,labels_raw",
    `2025-07-18T20:42:34Z,0,GPU-0,h,,,40,"${labelled.replaceAll('"', '""')}"`,
    `2025-07-18T20:42:34Z,1,GPU-1,h,p,,41,"${labelled.replaceAll('"', '""')}"`,
  ];
  const { records } = await readText(folder, wide.join("\n"));
  expect(records.map(({ occupants }) => occupants)).toEqual([["ml/train-0/main"], ["/p/"]]);
});

test("a file of many rows has the workloads of its labels in the fast lane too", async () => {
  const rows = Array.from({ length: 40 }, (_, index) => ({
    gpu: String(index % 2),
    uuid: `GPU-${index % 2}`,
    timestamp: `2025-07-18T20:42:${10 + (index >> 1)}Z`,
    ...(index % 2 === 0 ? { more: labelled } : { pod: "dcgm-exporter-7x", namespace: "monitoring" }),
  }));
  const ofBoth = await occupantsOf(rows);
  expect(ofBoth).toEqual([...Array<string[]>(20).fill(["ml/train-0/main"]), ...Array<string[]>(20).fill([])]);
});

test.each([
  { pod: "dcgm-exporter-xyz", namespace: "monitoring" },
  { pod: "nvidia-dcgm-exporter-4x2kq", namespace: "gpu-operator", container: "nvidia-dcgm-exporter" },
  { pod: "gke-managed-dcgm-exporter-8f" },
  { pod: "p-7x", container: "dcgm-exporter" },
  { pod: "nvidia-gpu-exporter-abcde", namespace: "gpu" },
  { container: "nvidia_smi_exporter" },
  { pod: "default-metrics-exporter-x", container: "metrics-exporter-container" },
])("an idle GPU is not held by the pod of its exporter (%p)", async (cells) => {
  expect(await occupantsOf([cells])).toEqual([[]]);
  const labels = Object.entries(cells).map(([name, text]) => `${name}="${text}"`);
  expect(await occupantsOf([{ labels: labels.join(",") }])).toEqual([[]]);
  expect(await occupantsOf([{ labels: labels.map((label) => `exported_${label}`).join(",") }])).toEqual([[]]);
  expect(await occupantsOf([{ ...cells, more: labelled }])).toEqual([["ml/train-0/main"]]);
});

test("workloads that only have a similar name hold their GPU", async () => {
  const pods = ["onnx-exporter-1", "export-dcgm", "dcgm-0"];
  for (const pod of pods) expect(await occupantsOf([{ pod }])).toEqual([[`/${pod}/`]]);
  expect(await occupantsOf([{ pod: "p", namespace: "dcgm-exporter" }])).toEqual([["dcgm-exporter/p/"]]);
});

test("two pods whose names in the labels differ after 256 characters do not become one, but are rejected", async () => {
  const long = (end: string): string => `${"p".repeat(256)}${end}`;
  const { records, rejected } = await readRows(folder, [
    { more: `,pod="${long("a")}"` },
    { more: `,exported_namespace="${long("b")}"` },
    { more: `,pod="${"p".repeat(256)}"` },
    { more: ',pod="a\\nb"' },
    { more: `,pod="${long("c")}"`, pod: "train-0" },
  ]);
  expect(rejected.map(({ line, reason, field }) => [line, reason, field])).toEqual([
    [2, "invalid_field", "pod"],
    [3, "invalid_field", "exported_namespace"],
    [5, "invalid_field", "pod"],
  ]);
  expect(records.map(({ occupants }) => occupants)).toEqual([["/train-0/", `/${"p".repeat(256)}/`].sort()] as never);
});

test("the older names of the exporter's labels name the workload, too, in labels and in columns", async () => {
  const older = ',container_name="main",pod_name="train-0",pod_namespace="ml"';
  const { records } = await readRows(folder, [{ more: older }]);
  expect(records.map(({ occupants }) => occupants)).toEqual([["ml/train-0/main"]]);
  expect(records[0]?.gpu.properties).toEqual({ instance: "host-1:9400", job: "dcgm" });
  expect(await occupantsOf([{ more: `${older},pod="newer"` }])).toEqual([["ml/newer/main"]]);
  expect(await occupantsOf([{ more: ',exported_pod_name="train-1"', pod: "p" }])).toEqual([["/train-1/"]]);
  const wide = ["timestamp,gpu_id,uuid,hostname,pod_name,pod_namespace,temperature", "1752871354,0,GPU-0,h,p,n,40"];
  expect((await readText(folder, wide.join("\n"))).records.map(({ occupants }) => occupants)).toEqual([["n/p/"]]);
});
