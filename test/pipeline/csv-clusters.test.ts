import { afterAll, expect, test } from "bun:test";
import { compareFile } from "../../scripts/verify/compare-file.ts";
import { recordsBehindApi } from "../../scripts/verify/stored-records.ts";
import { openLiveGateway } from "../routes/live/live-gateway.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource } from "../support/csv-reading.ts";
import { recordsIn } from "../support/merged-records.ts";

// A row's own cluster counts, whatever the table; the input's cluster is that of rows that name none.

const folder = new CsvFolder();
afterAll(() => folder.remove());

const time = "2026-03-01T12:00:00Z";
const wide = (column: string, clusters: readonly string[]): string => {
  const rows = clusters.map((cluster, index) => `${time},GPU-${index},0,n1,${cluster},85`);
  return `timestamp,uuid,gpu_id,hostname,${column},gpu_utilization\n${rows.join("\n")}\n`;
};

/** The clusters of a table's GPUs, in the order of their names, however it is read. */
async function clustersOf(text: string): Promise<{ clusters: unknown[]; rejected: unknown[]; unread: unknown }> {
  const read = async (fastLane: boolean) => {
    const source = await openCsvSource(folder.write(text), { fastLane, clusterId: "default", hostname: "n1" });
    const batches = await batchesOf(source);
    const gpus = batches.flatMap(({ batch }) => recordsIn(batch)).map(({ gpu }) => [gpu.uuid, gpu.clusterId]);
    const rejected = batches.flatMap(({ batch }) => batch.rejected).map(({ reason, field }) => [reason, field]);
    return { clusters: gpus.sort(), rejected, unread: source.unreadColumns };
  };
  const [slow, fast] = [await read(false), await read(true)];
  expect(fast).toEqual(slow);
  return slow;
}

test.each(["cluster_id", "Cluster ID", "cluster", "cluster_name", "k8s_cluster_name", "k8s.cluster.name"])(
  "the column %s of a wide table names the cluster of each row; an empty one is of the input's cluster",
  async (column) => {
    expect(await clustersOf(wide(column, ["prodZ", "", "alpha", "N/A", " prodZ ", "7"]))).toEqual({
      clusters: [
        ["GPU-0", "prodZ"],
        ["GPU-1", "default"],
        ["GPU-2", "alpha"],
        ["GPU-3", "default"],
        ["GPU-4", "prodZ"],
        ["GPU-5", "7"],
      ],
      rejected: [],
      unread: [],
    });
  },
);

test("a cluster that is no name is rejected, and the other rows are read", async () => {
  const { clusters, rejected } = await clustersOf(wide("cluster_id", ["x".repeat(257), '"a\u0007b"', "prodZ"]));
  expect(clusters).toEqual([["GPU-2", "prodZ"]]);
  expect(rejected).toEqual([
    ["invalid_field", "cluster_id"],
    ["invalid_field", "cluster_id"],
  ]);
});

test("an exporter's table with a column more has the clusters of its rows, also for a GPU that the fast lane could have learnt", async () => {
  const rows = ["a", "b", "a", "b"].map(
    (cluster, index) => `${exporterRow({ uuid: `GPU-${index % 2}`, value: String(index) })},"${cluster}"`,
  );
  const { clusters } = await clustersOf([`${exporterHeader},cluster`, ...rows, ""].join("\n"));
  expect(clusters).toEqual([
    ["GPU-0", "a"],
    ["GPU-1", "b"],
  ]);
});

test("a table of nvidia-smi may have a column of clusters", async () => {
  const header = "timestamp, index, uuid, cluster_id, utilization.gpu [%]";
  const text = `${header}\n2026/03/01 12:00:00.000, 0, GPU-0, prodZ, 85 %\n2026/03/01 12:00:00.000, 1, GPU-1, , 85 %\n`;
  expect((await clustersOf(text)).clusters).toEqual([
    ["GPU-0", "prodZ"],
    ["GPU-1", "default"],
  ]);
});

test("one batch, and so one message, has the GPUs of several clusters", async () => {
  const source = await openCsvSource(folder.write(wide("cluster_id", ["a", "b", ""])));
  const [first, ...others] = await batchesOf(source);
  expect(others).toEqual([]);
  expect(first?.batch.gpus.map(({ clusterId }) => clusterId)).toEqual(["a", "b", "local-cluster"]);
});

test("verify compares the clusters", async () => {
  const gateway = await openLiveGateway();
  try {
    const open = (clusters: readonly string[]) => openCsvSource(folder.write(wide("cluster_id", clusters)));
    for (const { batch } of await batchesOf(await open(["a", ""]))) await gateway.collect(batch);
    const stored = recordsBehindApi(`http://127.0.0.1:${gateway.port}`);
    const { differences } = await compareFile(await open(["a", ""]), stored);
    expect(differences).toEqual([]);
    const other = await compareFile(await open(["b", ""]), stored);
    expect(other.differences).toEqual(["GPU-0: 2026-03-01T12:00:00Z the cluster is b in the file, a in the store"]);
  } finally {
    await gateway.close();
  }
});
