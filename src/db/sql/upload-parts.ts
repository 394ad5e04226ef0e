import type { SqlExecutor, SqlTransaction } from "../client.ts";
import { CopyRows } from "./copy-rows.ts";

/** A part of an upload's bytes. */
export interface UploadPart {
  readonly uploadId: string;
  /** From 0. */
  readonly number: number;
  /** Packed. */
  readonly bytes: Uint8Array;
}

/** Adds a part. @returns false if it exists already */
export function copyPart(transaction: SqlTransaction, { uploadId, number, bytes }: UploadPart): Promise<boolean> {
  const rows = new CopyRows(bytes.length + 128);
  rows.row(3);
  rows.text(Buffer.from(uploadId));
  rows.int4(number);
  rows.bytea(bytes);
  return transaction.copy("upload_parts (upload_id, number, bytes)", rows.end());
}

/** Reads a part of an upload. @returns undefined if the upload does not have it */
export async function selectPart(
  executor: SqlExecutor,
  uploadId: string,
  number: number,
): Promise<Uint8Array | undefined> {
  const text = "select bytes from upload_parts where upload_id = $1 and number = $2::int";
  return (await executor.query<{ bytes: Uint8Array }>(text, [uploadId, number]))[0]?.bytes;
}

/** Deletes the parts of an upload. */
export async function deleteParts(executor: SqlExecutor, uploadId: string): Promise<void> {
  await executor.query("delete from upload_parts where upload_id = $1", [uploadId]);
}
