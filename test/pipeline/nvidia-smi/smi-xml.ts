import { BatchBuilder } from "../../../src/domain/batch-builder.ts";
import type { RecordBatch } from "../../../src/domain/batch.ts";
import { findDocument, parseSmiLog } from "../../../src/pipeline/source/nvidia-smi/smi-document.ts";
import { parseSmiList } from "../../../src/pipeline/source/nvidia-smi/smi-list.ts";
import { readSmiLog } from "../../../src/pipeline/source/nvidia-smi/smi-reader.ts";
import { type MergedRecord, recordsIn } from "../../support/merged-records.ts";

/** A GPU of a document. */
export interface WrittenGpu {
  readonly uuid?: string;
  readonly minor?: string;
  /** The elements after the uuid. */
  readonly body?: string;
}

export const uuidOf = (index: number): string =>
  `GPU-5fd4f087-86f3-7a43-b711-47713131${String(index).padStart(4, "0")}`;

/** A document as `nvidia-smi -q -x` prints it, with the elements of its GPUs that a test needs. */
export function smiXml(gpus: readonly WrittenGpu[], { attached = gpus.length, timestamp = "" } = {}): string {
  const elements = gpus.map(
    ({ uuid = uuidOf(0), minor, body = "" }, index) => `
    <gpu id="00000000:0${index + 1}:00.0">
        <product_name>NVIDIA H100 80GB HBM3</product_name>
        <uuid>${uuid}</uuid>
        ${minor === undefined ? "" : `<minor_number>${minor}</minor_number>`}
        ${body}
    </gpu>`,
  );
  return `<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log>
    ${timestamp === "" ? "" : `<timestamp>${timestamp}</timestamp>`}
    <driver_version>580.95.05</driver_version>
    <attached_gpus>${attached}</attached_gpus>${elements.join("")}
</nvidia_smi_log>
`;
}

/** A MIG device of the element mig_devices. */
export function migXml(index: number, instance: number, usedMebibytes: number): string {
  return `<mig_device><index>${index}</index><gpu_instance_id>${instance}</gpu_instance_id>
    <compute_instance_id>0</compute_instance_id><fb_memory_usage><total>9984 MiB</total><used>${usedMebibytes} MiB</used>
    </fb_memory_usage></mig_device>`;
}

/** A process of the element processes. */
export function processXml(name: string, memory: string, instance = "N/A"): string {
  return `<process_info><gpu_instance_id>${instance}</gpu_instance_id><pid>4711</pid>
    <process_name>${name}</process_name><used_memory>${memory}</used_memory></process_info>`;
}

/** The content of a document. */
export interface ReadXml {
  readonly batch: RecordBatch;
  readonly records: readonly MergedRecord[];
}

/** Reads a document as the source does, at the time 1000.
 *  @param list what `nvidia-smi -L` prints; undefined if it was not run */
export function readXml(xml: string, list?: string): ReadXml {
  const builder = new BatchBuilder();
  const place = { line: 0, byte: 0 };
  const context = { clusterId: "c1", hostname: "box", timeMs: 1000, list: list && parseSmiList(list), place };
  readSmiLog(parseSmiLog(findDocument(xml)?.xml ?? ""), { ...context, list: context.list || undefined }, builder);
  const batch = builder.build();
  return { batch, records: recordsIn(batch) };
}
