import { afterAll, beforeAll, expect, test } from "bun:test";
import { messageOf } from "../../dev/make-batch.ts";
import { BatchBuilder } from "../../src/domain/batch-builder.ts";
import type { RecordBatch } from "../../src/domain/batch.ts";
import { allTime } from "../../src/domain/time-range.ts";
import { ExpositionReader } from "../../src/pipeline/source/exposition/exposition-reader.ts";
import { SharedTexts } from "../../src/pipeline/source/labels/shared-texts.ts";
import { findDocument, parseSmiLog } from "../../src/pipeline/source/nvidia-smi/smi-document.ts";
import { readSmiLog } from "../../src/pipeline/source/nvidia-smi/smi-reader.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { batchesOf, CsvFolder, openCsvSource } from "../support/csv-reading.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { smiXml, uuidOf } from "./nvidia-smi/smi-xml.ts";

const folder = new CsvFolder();
let opened: OpenStore;
beforeAll(async () => void (opened = await openMemoryStore()), 60_000);
afterAll(async () => {
  folder.remove();
  await opened.close();
});

const timeMs = Date.UTC(2026, 6, 14, 8, 12, 30);
const clusterId = "c1";

async function ofWideCsv(uuid: string): Promise<RecordBatch> {
  const path = folder.write(
    `timestamp,uuid,Hostname,gpu_id,temperature,power_draw,gpu_utilization,memory_used_mb
2026-07-14T08:12:30Z,${uuid},box,0,60,300.5,90,1000
`,
  );
  const [batch] = await batchesOf(await openCsvSource(path, { clusterId }));
  return (batch as NonNullable<typeof batch>).batch;
}

function ofScrape(uuid: string): RecordBatch {
  const labels = `{gpu="0",UUID="${uuid}",device="nvidia0",Hostname="box"}`;
  const text = `DCGM_FI_DEV_GPU_TEMP${labels} 61
DCGM_FI_DEV_POWER_USAGE${labels} 300.5
DCGM_FI_DEV_FB_USED_BYTES${labels} 1048576000
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION${labels} 5000
`;
  const builder = new BatchBuilder("Hostname");
  const reader = new ExpositionReader({ target: "box:9400", host: "box", clusterId, labels: {} }, new SharedTexts());
  reader.read({ bytes: Buffer.from(text) }, timeMs, builder);
  return builder.build();
}

function ofSmi(uuid: string): RecordBatch {
  const body = `<fb_memory_usage><used>1000 MiB</used></fb_memory_usage>
    <temperature><gpu_temp>60 C</gpu_temp></temperature><utilization><gpu_util>88 %</gpu_util></utilization>`;
  const log = parseSmiLog(findDocument(smiXml([{ uuid, body, minor: "0" }]))?.xml ?? "");
  const builder = new BatchBuilder();
  readSmiLog(log, { clusterId, hostname: "box", timeMs, list: undefined, place: { line: 0, byte: 0 } }, builder);
  return builder.build();
}

const orders = [
  "csv,scrape,smi",
  "csv,smi,scrape",
  "scrape,csv,smi",
  "scrape,smi,csv",
  "smi,csv,scrape",
  "smi,scrape,csv",
];

test("a CSV, a scrape and nvidia-smi of one GPU at one time give one record; only values that differ are conflicts, in any order", async () => {
  const { store, queries } = opened;
  for (const [index, order] of orders.entries()) {
    const uuid = uuidOf(index);
    const batches = new Map([
      ["csv", await ofWideCsv(uuid)],
      ["scrape", ofScrape(uuid)],
      ["smi", ofSmi(uuid)],
    ]);
    const results = [];
    for (const name of order.split(",")) {
      const batch = batches.get(name) as RecordBatch;
      expect({ name, rejected: batch.rejected, records: batch.recordCount }).toEqual({
        name,
        rejected: [],
        records: 1,
      });
      results.push(await store.ingest(messageOf(`${order} ${name}`, batch)));
    }
    // 60 degrees, which two of the sources say, differ from 61, and 88 % from 90 %
    const conflicts = results.reduce((sum, result) => sum + result.conflicts, 0);
    const inserted = results.map(({ recordsInserted }) => recordsInserted);
    expect({ order, conflicts, inserted }).toEqual({ order, conflicts: 2, inserted: [1, 0, 0] });
    const { elements } = await queries.history.records({ gpus: { uuids: [uuid] }, range: allTime, limit: 10 });
    expect(elements).toHaveLength(1);
    expect(elements[0]).toMatchObject({ timeMs, custom: {}, gpu: { hostname: "box", gpuId: 0 } });
    expect(elements[0]?.metrics).toEqual({
      ...{ temperature: 61, power_draw: 300.5, gpu_utilization: 90, memory_used_mb: 1000, total_energy_mj: 5000 },
    });
  }
});
