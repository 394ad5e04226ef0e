import { afterAll, beforeAll, expect, test } from "bun:test";
import { compareFile } from "../../scripts/verify/compare-file.ts";
import { idInStore, recordsBehindApi } from "../../scripts/verify/stored-records.ts";
import { batchesOf, CsvFolder, exporterHeader, exporterRow, openCsvSource } from "../support/csv-reading.ts";
import { type Cells, migLabels } from "../routes/devices/device-gateway.ts";
import { type LiveGateway, openLiveGateway } from "../routes/live/live-gateway.ts";

const xid = (code: string, value: string): Cells => ({
  metric: "DCGM_EXP_XID_ERRORS_COUNT",
  value,
  more: `,xid="${code}"`,
});
const later = { timestamp: "2025-07-18T20:42:44Z" };
/** Read in batches of two rows: parts of each record are in several batches. */
const rows: readonly Cells[] = [
  { metric: "DCGM_FI_DEV_FB_USED", value: "4100", more: migLabels("3", "1g.10gb") },
  { metric: "DCGM_FI_DEV_POWER_USAGE", value: "300.5", more: migLabels("3", "1g.10gb") },
  xid("31", "4"),
  { value: "42", pod: "a", namespace: "ml" },
  xid("45", "1"),
  { value: "43", pod: "b", namespace: "web" },
  { metric: "DCGM_FI_DEV_FB_USED", value: "200", more: migLabels("4", "2g.20gb") },
  { value: "50", host: "host-2", gpu: "3", ...later },
  { value: "51", host: "host-2", gpu: "3", ...later },
];

const folder = new CsvFolder();
let gateway: LiveGateway;
const sourceOf = (cells: readonly Cells[]) => {
  const text = `${[exporterHeader, ...cells.map((row) => exporterRow(row))].join("\n")}\n`;
  return openCsvSource(folder.write(text), { batchRows: 2 });
};
beforeAll(async () => {
  gateway = await openLiveGateway();
  for (const { batch } of await batchesOf(await sourceOf(rows))) await gateway.collect(batch);
});
afterAll(async () => {
  await gateway.close();
  folder.remove();
});

const compared = async (cells: readonly Cells[]) =>
  compareFile(await sourceOf(cells), recordsBehindApi(`http://127.0.0.1:${gateway.port}`));

test("verify agrees with a store of instances, series, shared and moved GPUs whose records came in parts", async () => {
  const { differences, records, conflicts } = await compared(rows);
  expect([differences, records, conflicts]).toEqual([[], 4, 2]);
});

test("verify finds a lost series, a wrong fold, another occupant, another host and a missing instance", async () => {
  const { differences } = await compared([
    ...rows,
    xid("79", "2"),
    { value: "1", pod: "c", namespace: "web" },
    { value: "1", host: "host-1", gpu: "3", ...later },
    { metric: "DCGM_FI_DEV_FB_USED", value: "7", more: migLabels("5", "2g.20gb") },
  ]);
  expect(differences).toEqual([
    'GPU-0: 2025-07-18T20:42:34Z the workloads are [{"container":"","pod":"a","namespace":"ml"},{"container":"","pod":"b","namespace":"web"},{"container":"","pod":"c","namespace":"web"}] in the file, [{"container":"","pod":"a","namespace":"ml"},{"container":"","pod":"b","namespace":"web"}] in the store',
    "GPU-0: 2025-07-18T20:42:34Z xid_errors is 7 in the file, 5 in the store",
    'GPU-0: 2025-07-18T20:42:34Z xid_errors{xid="79"} is 2 in the file, missing in the store',
    "GPU-0: 2025-07-18T20:42:44Z the host is host-1 in the file, host-2 in the store",
    "GPU-0: 2025-07-18T20:42:44Z gpu_utilization is 1 in the file, 51 in the store",
    "GPU-0:mig:5:2g.20gb: the record at 2025-07-18T20:42:34Z is in the file, but not in the store",
  ]);
});

test("verify agrees with a store that has one host's record of a uuid that two hosts report, in a batch or across batches", async () => {
  const cloned = await openLiveGateway();
  try {
    const cells = [
      { value: "1", host: "vm-a" },
      { value: "2", host: "vm-b" },
      { value: "3", host: "vm-b", ...later },
      { value: "3", uuid: "GPU-9" },
      { value: "4", host: "vm-a", ...later },
    ];
    const source = await sourceOf(cells);
    for (const { batch } of await batchesOf(source)) await cloned.collect(batch);
    const result = await compareFile(source, recordsBehindApi(`http://127.0.0.1:${cloned.port}`));
    expect(result.differences).toEqual([]);
    expect(result.records).toBe(3);
  } finally {
    await cloned.close();
  }
});

test("verify looks for the rejected inputs of a file under the id that an earlier version has given it, if it has any there", async () => {
  const ids = { id: "csv:a:1-2", earlierId: "csv:a:1", digest: "2" };
  const chosen = (counts: Readonly<Record<string, number>>) =>
    idInStore({ countRejections: (sourceId) => Promise.resolve(counts[sourceId] ?? 0) })(ids);
  expect(await chosen({})).toBe(ids.id);
  expect(await chosen({ [ids.earlierId]: 3 })).toBe(ids.earlierId);
  expect(await chosen({ [ids.id]: 1, [ids.earlierId]: 3 })).toBe(ids.id);
});
