import type { InputTally } from "../domain/batch.ts";
import { ownColumnLines } from "./import-report.ts";

/** What a streamer has published of a file. */
export interface StreamedFile {
  readonly description: string;
  /** The messages that the queue did not have yet, and the sums of their tallies. */
  readonly published: Pick<InputTally, "rows" | "samples" | "missing"> & { readonly messages: number };
  /** Messages that the queue had already. */
  readonly duplicateMessages: number;
  /** Bytes after the header. */
  readonly totalBytes: number;
  /** Bytes that had been published before the file was opened. */
  readonly coveredBytes: number;
  /** Columns that became metrics outside the catalogue, in what this process has read. */
  readonly ownColumns: readonly string[];
}

/** What a process without a store prints after it has streamed a file; it says why if nothing was published. */
export function streamedText(file: StreamedFile): string {
  const { rows, samples, messages } = file.published;
  const reason = reasonOf(file);
  const counts = `this process published ${rows} rows, ${samples} samples, ${messages} messages`;
  const streamed = `Streamed ${file.description}: ${counts}${reason === undefined ? "" : `; ${reason}`}`;
  return [streamed, ...ownColumnLines(file.ownColumns)].join("\n");
}

function reasonOf({ published, duplicateMessages, totalBytes, coveredBytes }: StreamedFile): string | undefined {
  const { rows, samples, missing, messages } = published;
  if (samples > 0) return undefined;
  if (totalBytes === 0) return "the file has no rows after its header";
  if (coveredBytes >= totalBytes) return "all of it had been published before, as its checkpoints in etcd say";
  if (messages === 0 && duplicateMessages > 0) return `the queue had its ${duplicateMessages} messages already`;
  if (messages === 0) return "other streamers published the ranges that were left";
  if (rows === 0) return "the lines that it read are blank, or repeat the header";
  if (missing === 0) return "all values were rejected; /api/v1/quarantine lists them with their reasons";
  return `no value can be used: ${missing} are missing (such as empty or N/A); /api/v1/quarantine lists those that were rejected`;
}
