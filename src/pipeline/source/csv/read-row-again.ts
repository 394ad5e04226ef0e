import { rawMaxLength, type RecordBatch } from "../../../domain/batch.ts";
import { BatchBuilder } from "../../../domain/batch-builder.ts";
import { GpuCache } from "../labels/gpu-cache.ts";
import { csvFields } from "./csv-fields.ts";
import { detectLayout, exporterHeader } from "./layout.ts";
import { Rejections } from "./rejections.ts";
import { RowReader } from "./row-reader.ts";

/** The records of a row that was rejected once, or why it still cannot be used. */
export type RowReadAgain = { readonly batch: RecordBatch } | { readonly problem: string };

/** The rejection of a row: the text is what the quarantine keeps of it, and the column names are not among it. */
interface RejectedRow {
  readonly raw: string;
  readonly clusterId: string;
}

/** Reads a row again with the rules of this version, as a row of dcgm-exporter's table: the quarantine has rows without the header of
 *  their file. */
export function readRowAgain({ raw, clusterId }: RejectedRow): RowReadAgain {
  const problem = lossOf(raw);
  if (problem !== undefined) return { problem };
  const bytes = Buffer.from(raw);
  const layout = detectLayout(exporterHeader, "the row");
  const builder = new BatchBuilder(layout.header[layout.hostname]);
  const rejections = new Rejections({ bytes, offset: 0 }, builder, ",");
  const gpus = new GpuCache(clusterId);
  const rows = new RowReader({
    layout,
    gpus,
    builder,
    rejections,
    onUnread: () => undefined,
    shiftMs: 0,
    otherTable: undefined,
  });
  const [fields, ...others] = csvFields(bytes) ?? [];
  if (fields?.length !== exporterHeader.length || others.length > 0) return { problem: otherColumns };
  rows.read(fields, { start: 0, end: bytes.length, line: 1 });
  const batch = builder.build();
  const [error] = batch.rejected;
  if (error !== undefined) return { problem: error.message };
  // the row is counted where it was rejected
  return batch.tally.samples > 0 ? { batch: { ...batch, tally: { ...batch.tally, rows: 0 } } } : { problem: noValue };
}

const otherColumns = `Only a row with the columns ${exporterHeader.join(", ")} can be tried again without its file.`;
const noValue = "The row has no value.";

/** Why the text is not the row as it was. */
function lossOf(raw: string): string | undefined {
  if (raw.length >= rawMaxLength) return `The row is kept up to ${rawMaxLength} characters only.`;
  return raw.includes("\u{FFFD}") ? "The row had bytes that are not text." : undefined;
}
