import { valueMaxLength } from "../../../domain/batch.ts";
import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import { cutText } from "../../../domain/cut-text.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { rawText, shown } from "../bytes/shown-text.ts";
import { type Delimiter, writtenText } from "./csv-form.ts";
import type { FileWindow } from "./file-window.ts";

/** Where a row is in the file. */
export interface RowPlace {
  /** File offset of its first byte. */
  readonly start: number;
  /** File offset after its last byte, line end not included. */
  readonly end: number;
  /** Line number; the first line of the file is 1. */
  readonly line: number;
}

/** Adds to the batch the rows and values that cannot be used, each with the text of its row. The batch's message carries
 *  them, and the store keeps them in its quarantine.
 *
 *  This file has the reasons that concern a whole row. Those of a single value are in src/domain: field-rules.ts (names
 *  and gpu_id), timestamp.ts and value-text.ts. */
export class Rejections {
  constructor(
    private readonly window: Pick<FileWindow, "bytes" | "offset">,
    private readonly builder: BatchBuilder,
    private readonly delimiter: Delimiter,
  ) {}

  /** Adds a rejection to the batch; the row must be in the window. */
  add(place: RowPlace, error: FieldError): void {
    this.builder.reject({
      line: place.line,
      byte: place.start,
      reason: error.reason,
      field: cutText(error.field, valueMaxLength),
      value: cutText(shown(error.value), valueMaxLength),
      message: error.message,
      raw: this.rawText(place),
    });
  }

  /** The row as text; see `rawText` in shown-text.ts. */
  rawText(place: RowPlace): string {
    const { bytes, offset } = this.window;
    return writtenText(rawText(bytes.subarray(place.start - offset, place.end - offset)), this.delimiter);
  }
}

/** The row has more or fewer values than the header has names. */
export function wrongColumnCount(found: number, expected: number): FieldError {
  return {
    reason: "wrong_column_count",
    field: "",
    value: String(found),
    message: `The row has ${found} columns, but the header has ${expected}; a delimiter inside a value needs quotes around the value.`,
  };
}

/** The row is the header of another table, or comes after it: its columns are not those of the file's header.
 *  @param line where that table begins */
export function otherHeader(line: number): FieldError {
  return { reason: "other_header", field: "", value: "", message: `${otherTableAt(line)}; its rows are not read.` };
}

/** What a user reads of another table in the same file. */
export function otherTableAt(line: number): string {
  return `Line ${line} begins another table with other columns: split the file there, and read each part by itself`;
}

/** The row has no line end within the limit. */
export function rowTooLarge(maxBytes: number): FieldError {
  return {
    reason: "record_too_large",
    field: "",
    value: "",
    message: `The row is longer than ${maxBytes} bytes, the limit for one row; check its line ends.`,
  };
}

/** The ends of the row's values cannot be determined. */
export function malformedQuotes(): FieldError {
  return {
    reason: "malformed_quotes",
    field: "",
    value: "",
    message:
      "The quotes in the row do not match: a quoted value ends with one quote before a delimiter or the line's end, and a quote inside it is written twice.",
  };
}

/** The row contains a NUL byte or bytes that are not UTF-8.
 *  @param field the name of the first column with such bytes, or an empty text; `value` is the cell's text */
export function notText(
  reason: "nul_byte" | "invalid_utf8",
  { field, value }: Pick<FieldError, "field" | "value">,
): FieldError {
  const content = reason === "nul_byte" ? "a NUL byte" : "bytes that are not UTF-8";
  const message = `The row contains ${content} (shown as U+FFFD); save the file as UTF-8 text without NUL bytes.`;
  return { reason, field, value, message };
}
