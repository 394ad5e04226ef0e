import { rawMaxLength, valueMaxLength } from "../../../domain/batch.ts";
import type { BatchBuilder } from "../../../domain/batch-builder.ts";
import { cutText } from "../../../domain/cut-text.ts";
import type { FieldFault } from "../../../domain/field-rules.ts";
import type { FileWindow } from "./file-window.ts";

/** Where a row lies in the file. */
export interface RowPlace {
  /** File offset of its first byte. */
  readonly start: number;
  /** File offset after its last byte, line end not included. */
  readonly end: number;
  /** Line number, the header's being 1 where it is the first. */
  readonly line: number;
}

/** No character takes more. */
const utf8MaxBytes = 4;

/** Adds what cannot be used to the batch, with the row as it was read. */
export class Rejections {
  private readonly lossyText = new TextDecoder("utf-8", { ignoreBOM: true });

  constructor(
    private readonly window: FileWindow,
    private readonly builder: BatchBuilder,
  ) {}

  /** The row must be in the window. */
  add(place: RowPlace, fault: FieldFault): void {
    this.builder.reject({
      line: place.line,
      byte: place.start,
      reason: fault.reason,
      field: cutText(fault.field, valueMaxLength),
      value: cutText(shown(fault.value), valueMaxLength),
      message: fault.message,
      raw: this.rawText(place),
    });
  }

  /** The row as text, bad UTF-8 as U+FFFD, cut to 2,000 characters. */
  rawText(place: RowPlace): string {
    const start = place.start - this.window.offset;
    const end = Math.min(place.end - this.window.offset, start + rawMaxLength * utf8MaxBytes);
    return cutText(shown(this.lossyText.decode(this.window.bytes.subarray(start, end))), rawMaxLength);
  }
}

/** PostgreSQL's text cannot hold NUL. */
function shown(text: string): string {
  return text.replaceAll("\0", "\u{FFFD}");
}
