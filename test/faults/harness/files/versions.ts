import { writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileIdOf } from "../../../support/csv-reading.ts";
import { header } from "../ledger.ts";

/** A row of a file. */
export interface FileRow {
  readonly text: string;
  /** After the first one of all files. */
  readonly second: number;
  /** `uuid time_ms` */
  readonly key: string;
  /** The metric's name in the catalogue. */
  readonly metric: string;
  /** Undefined if the row must be rejected. */
  readonly value: number | undefined;
}

/** What a file contains. */
export interface Content {
  readonly rows: readonly FileRow[];
  /** How many bytes of the last row's text are missing: a program is still writing it. */
  readonly cutBytes: number;
}

/** What a streamer makes of a last row that is cut. `half`: it reads the row as it is, and rejects it; `whole`: it waits for its end;
 *  `either`: this depends on when the streamer reads it. */
export type LastRowReading = "half" | "whole" | "either";

/** A content that a file had under a name. A streamer that opens it there reads it as one source. */
export interface Version extends Content {
  readonly name: string;
  readonly sourceId: string;
  /** Where the rows begin. */
  readonly offsets: readonly number[];
  readonly bytes: number;
  /** Changes when the row is completed. */
  lastRow: LastRowReading;
}

export const whole = (rows: readonly FileRow[]): Content => ({ rows, cutBytes: 0 });

/** The text of a file with this content. All characters are of one byte. */
export function textOf({ rows, cutBytes }: Content): string {
  const text = header + rows.map((row) => row.text).join("");
  return text.slice(0, text.length - cutBytes);
}

/** Writes a new file, and finds out which source it is. */
export async function writeVersion(path: string, content: Content): Promise<Version> {
  await writeFile(path, textOf(content));
  return versionAt(path, content);
}

/** The version that a file now is. */
export async function versionAt(path: string, content: Content): Promise<Version> {
  const offsets: number[] = [];
  let bytes = header.length;
  for (const { text } of content.rows) {
    offsets.push(bytes);
    bytes += text.length;
  }
  return {
    ...content,
    ...{ name: basename(path), sourceId: await fileIdOf(path), offsets, bytes: bytes - content.cutBytes },
    lastRow: content.cutBytes === 0 ? "whole" : "half",
  };
}
