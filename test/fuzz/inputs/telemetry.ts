import type { FileHandle } from "node:fs/promises";
import { makeBatch } from "../../../dev/make-batch.ts";
import { BatchBuilder } from "../../../src/domain/batch-builder.ts";
import { UndecodablePayload, UnusableSource } from "../../../src/domain/errors.ts";
import { readMetricChoice } from "../../../src/domain/metric-choice.ts";
import { migInstanceOf, migUuid } from "../../../src/domain/mig-instance.ts";
import { toPayloadV1 } from "../../../src/domain/schema/columns-v1.ts";
import { parseSeries, seriesText } from "../../../src/domain/series.ts";
import { readSeriesSelector, selectsSeries, splitNames } from "../../../src/domain/series-selector.ts";
import { splitBatch } from "../../../src/domain/split-batch.ts";
import { formatTimestamp, parseTimestamp, readInstant } from "../../../src/domain/timestamp.ts";
import { readValue } from "../../../src/domain/value-text.ts";
import { decodeBatch, decodePayload, encodeBatch } from "../../../src/pipeline/queue/batch-codec.ts";
import { BatchReader } from "../../../src/pipeline/source/csv/batch-reader.ts";
import { csvFields } from "../../../src/pipeline/source/csv/csv-fields.ts";
import { usualForm } from "../../../src/pipeline/source/csv/csv-form.ts";
import { FastTemplates } from "../../../src/pipeline/source/csv/fast-templates.ts";
import { FileWindow } from "../../../src/pipeline/source/csv/file-window.ts";
import { detectLayout } from "../../../src/pipeline/source/csv/layout.ts";
import { GpuCache } from "../../../src/pipeline/source/labels/gpu-cache.ts";
import { parseLabels } from "../../../src/pipeline/source/labels/labels.ts";
import { findDocument } from "../../../src/pipeline/source/nvidia-smi/smi-document.ts";
import { SmiFailed } from "../../../src/pipeline/source/nvidia-smi/smi-failed.ts";
import { parseSmiList } from "../../../src/pipeline/source/nvidia-smi/smi-list.ts";
import { openTarget, sample } from "../../pipeline/exposition/read-exposition.ts";
import { migXml, processXml, readXml, smiXml, uuidOf } from "../../pipeline/nvidia-smi/smi-xml.ts";
import { exporterHeader, exporterRow } from "../../support/csv-reading.ts";
import { ExpositionLines } from "../exposition/walk.ts";
import { bytesSubject, must, type Subject, textSubject } from "../subject.ts";

const rows = [
  exporterRow(),
  exporterRow({ metric: "DCGM_FI_DEV_POWER_USAGE", value: "67.351", pod: "p", namespace: "ml", container: "c" }),
  exporterRow({ uuid: "GPU-1", gpu: "1", value: "7", more: ',GPU_I_ID="3",GPU_I_PROFILE="1g.5gb"' }),
  exporterRow({ metric: "DCGM_FI_DEV_XID_ERRORS", value: "0", more: ',err_code="31",err_msg="a \\"b\\" \\\\ c"' }),
];
const csvSeeds = [
  [exporterHeader, ...rows, ...rows].join("\n"),
  [exporterHeader, ...rows.map((row) => row.replaceAll('"', "").replaceAll("=", '="'))].join("\r\n"),
  "timestamp, index, uuid, name, utilization.gpu [%], memory.used [MiB], temperature.gpu, power.draw [W]\n" +
    "2026/03/01 12:00:00.123, 0, GPU-17, NVIDIA H100, 85 %, 1024 MiB, 60, 300.25 W\n2026/03/01 12:00:01, 1, GPU-18, H100, [N/A], , 55, -\n",
  "\ufefftimestamp;gpu_id;uuid;hostname;gpu_utilization;power_draw\n2026-03-01T12:00:00Z;0;GPU-15;n1;85,5;300,25\n",
  'timestamp,gpu_id,uuid,hostname,gpu_utilization,"xid_errors{xid=""31""}",fan\n1752871354,0,GPU-1,n1,85.5,3,\n1752871354500,0,GPU-1,n1,NaN,,x\n',
];

/** The batches that are read from a whole file in memory, as text. */
function readCsv(content: Buffer, fastLane: boolean): string {
  const headerEnd = content.indexOf("\n") + 1;
  const names = csvFields(content.subarray(0, headerEnd === 0 ? content.length : headerEnd - 1))?.[0];
  if (names === undefined) throw new UnusableSource("no header");
  const layout = { ...detectLayout(names, "fuzz.csv"), defaultHostname: "n1" };
  // the window has the whole file, and does not read
  const file = undefined as unknown as FileHandle;
  const window = new FileWindow({
    file,
    path: "fuzz.csv",
    fromOffset: 0,
    endOffset: content.length,
    chunkBytes: 1,
    translate: undefined,
  });
  window.bytes = content;
  const reader = new BatchReader({
    ...{ window, layout, gpus: new GpuCache("c"), batchRows: 5, batchMaxRows: 7, spreadMs: 2000, shiftMs: 0 },
    form: usualForm,
    rowMaxBytes: 4096,
    templates: fastLane ? new FastTemplates() : undefined,
    otherTable: undefined,
    onUnread: () => undefined,
    from: { offset: headerEnd === 0 ? content.length : headerEnd, line: 2 },
    toOffset: content.length,
  });
  let batches = "";
  for (let turns = 0; turns < content.length + 10; turns += 1) {
    const state = reader.read();
    if (state === "unfinished_row" || state === "needs_bytes") reader.endFile();
    else if (reader.hasBatch) batches += textOf(reader.takeBatch());
    if (state === "ended") return batches;
  }
  throw new Error("the reader does not come to the end of the file");
}

function textOf({ from, to, batch: read }: ReturnType<BatchReader["takeBatch"]>): string {
  return JSON.stringify([from, to, toPayloadV1(read), read.rejected]);
}

const batch = makeBatch([
  { uuid: "GPU-a", timeMs: Date.UTC(2025, 0, 1), metrics: { temperature: 28, unheard_of: 2 } },
  { uuid: "GPU-b", timeMs: Date.UTC(2025, 0, 1, 1), metrics: { power_draw: 1.5 } },
]);
const payloadText = JSON.stringify(toPayloadV1(batch));
const beta = JSON.stringify({
  cluster_id: "c",
  samples: [
    {
      timestamp: "2025-07-18T20:42:34Z",
      metric_name: "DCGM_FI_DEV_GPU_TEMP",
      gpu_id: 0,
      uuid: "GPU-a",
      hostname: "h",
      value: 28,
    },
    {
      timestamp: "2025-07-18T20:42:35Z",
      metric_name: "other",
      gpu_id: "1",
      uuid: "GPU-b",
      hostname: "h",
      value: "1.5",
      pod: "p",
    },
  ],
});
const encoded = encodeBatch(batch);

function readPayload(payload: Uint8Array, encoding: string, schemaVersion: string): void {
  const decoded = decodePayload({ payload, encoding, schemaVersion });
  const again = encodeBatch(decoded);
  const twice = encodeBatch(decodePayload(again));
  must(Buffer.compare(again.payload, twice.payload) === 0, "a decoded batch is encoded in two ways");
  const valid = decodeBatch(again);
  must(
    Buffer.compare(encodeBatch(valid).payload, encodeBatch(decodeBatch(encodeBatch(valid))).payload) === 0,
    "a valid batch is not valid",
  );
  splitBatch(valid);
}

const smiBody = `<fb_memory_usage><used>815 MiB</used></fb_memory_usage><temperature><gpu_temp>45 C</gpu_temp></temperature>
<mig_devices>${migXml(0, 3, 100)}</mig_devices><processes>${processXml("/usr/bin/python", "90 MiB", "3")}</processes>`;

/** Readers of what exporters, files and nvidia-smi give. */
export function telemetrySubjects(): Subject[] {
  const lines = new ExpositionLines();
  const target = openTarget();
  const expositions = [0, 1].map((at) =>
    [
      "# HELP DCGM_FI_DEV_GPU_TEMP GPU temperature (in C).\n# TYPE DCGM_FI_DEV_GPU_TEMP gauge",
      ...[
        sample("DCGM_FI_DEV_GPU_TEMP", 26 + at),
        sample("DCGM_FI_DEV_FB_USED", 815, ',pod="p",namespace="n",GPU_I_ID="1"'),
      ],
      ...[sample("DCGM_FI_DEV_XID_ERRORS", 31, ',err_code="31"'), "up 1", "# EOF\n"],
    ].join("\n"),
  );
  return [
    {
      name: "exposition lines, against a reference",
      run: (random) => {
        const mismatch = lines.next(random);
        if (mismatch !== undefined) throw new Error(mismatch);
      },
    },
    bytesSubject({
      name: "expositions of one target",
      seeds: expositions,
      read: (bytes) => void target(bytes, bytes.length % 2 === 0 ? "openmetrics" : "text"),
    }),
    bytesSubject({
      name: "CSV, by both lanes",
      seeds: csvSeeds,
      refusals: [UnusableSource],
      read: (content) => must(readCsv(content, true) === readCsv(content, false), "the lanes differ"),
    }),
    textSubject({
      name: "nvidia-smi -q -x",
      seeds: [smiXml([0, 1].map((index) => ({ uuid: uuidOf(index), body: smiBody })))],
      refusals: [SmiFailed],
      read: (xml) => {
        if (findDocument(xml) === undefined) return;
        const { batch: read, records } = readXml(xml);
        for (const { value } of read.custom) must(Number.isFinite(value), "a value is not finite");
        for (const { gpu } of records) must(gpu.uuid !== "", "a GPU has no uuid");
      },
    }),
    textSubject({
      name: "nvidia-smi -L",
      seeds: [
        "GPU 0: NVIDIA H100 (UUID: GPU-5fd4)\n  MIG 1g.10gb     Device  0: (UUID: MIG-1)\nGPU 1: A (UUID: GPU-2)\n",
      ],
      read: parseSmiList,
    }),
  ];
}

/** Readers of messages of the queue. */
export function payloadSubjects(): Subject[] {
  return [
    bytesSubject({
      name: "payloads in zstd",
      seeds: [encoded.payload],
      refusals: [UndecodablePayload],
      read: (payload) => readPayload(payload, "json+zstd", "v1"),
    }),
    bytesSubject({
      name: "payloads in JSON",
      seeds: [payloadText],
      refusals: [UndecodablePayload],
      read: (payload) => readPayload(payload, "json", "v1"),
    }),
    bytesSubject({
      name: "payloads of v1beta1",
      seeds: [beta, payloadText],
      refusals: [UndecodablePayload],
      read: (payload) => readPayload(payload, "json", "v1beta1"),
    }),
  ];
}

/** Readers of single texts of telemetry. */
export function textSubjects(): Subject[] {
  return [
    textSubject({
      name: "labels",
      seeds: ['UUID="GPU-0",gpu="0",pod="a\\"b\\\\c\\nd",GPU_I_ID="3"', "a=b;c=d", "driver_version=535,k=v"],
      read: (text) => {
        const { properties } = parseLabels(text, [["serial", text.slice(0, 20)]]);
        new BatchBuilder().build();
        must(
          Object.values(properties).every((value) => typeof value === "string"),
          "a property is no text",
        );
      },
    }),
    textSubject({
      name: "values",
      seeds: ["42", "85 %", "1024 MiB", "1,5", "0x1p3", "-1e-3 W"],
      read: (text) => readValue("power_draw", text),
    }),
    textSubject({
      name: "instants",
      seeds: ["2025-07-18T20:42:34.123Z", "2025/07/18 20:42:34", "1752871354", "2024-02-29T23:59:60+02:00"],
      read: readTimes,
    }),
    textSubject({
      name: "series",
      seeds: ['xid_errors{xid="31"}', 'a{b="c\\"d",e="f"}', "temperature"],
      read: readSeries,
    }),
    textSubject({
      name: "uuids of MIG instances",
      seeds: ["GPU-1:mig:3:1g.10gb", "GPU%2F1:mig:3:", "MIG-6f1c"],
      read: readMig,
    }),
  ];
}

function readTimes(text: string): void {
  parseTimestamp(text);
  const read = readInstant(text);
  if ("problem" in read) return;
  const again = readInstant(formatTimestamp(read.ms));
  must("ms" in again && again.ms === read.ms, "an instant is not read as it is written");
}

function readSeries(text: string): void {
  const series = parseSeries(text);
  // a name in quotes that needs none, {"f"}, is written without them
  if (series !== undefined && Object.keys(series.labels).length > 0)
    must(Bun.deepEquals(parseSeries(seriesText(series)), series), "a series is not read as it is written");
  const selector = readSeriesSelector(text);
  if (selector !== undefined) selectsSeries(selector, text);
  readMetricChoice(splitNames(text));
}

function readMig(text: string): void {
  const instance = migInstanceOf(text);
  if (instance !== undefined) must(migUuid(instance) === text, "a uuid is not written as it was read");
}
