import { isUtf8 } from "node:buffer";
import { csvFields } from "./csv-fields.ts";
import { type Delimiter, writtenText } from "./csv-form.ts";
import { quotedFields } from "./quoted-fields.ts";
import type { FileWindow } from "./file-window.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { malformedQuotes, notText, type Rejections, type RowPlace } from "./rejections.ts";
import type { RecognizedRow, RowReader } from "./row-reader.ts";

/** The maximum number of rows in one call of csv-parse, which takes 20 us per call and 3 us per row: with this many rows,
 *  the time per call hardly matters. */
const groupMaxRows = 512;

const noFields: readonly string[] = [];

/** The parts that the slow lane works with. */
export interface SlowLaneParts {
  readonly window: FileWindow;
  readonly rows: RowReader;
  readonly rejections: Rejections;
  readonly header: readonly string[];
  readonly delimiter: Delimiter;
  /** If false, csv-parse reads every row, with the same result. */
  readonly splitsQuoted: boolean;
  /** Called for every row of the long form whose GPU and metric could be read. */
  readonly learn: (place: RowPlace, row: RecognizedRow) => void;
}

/** Reads regular rows, many in one call: `add` collects rows, `flush` reads them, with csv-parse unless all of their fields are quoted. */
export class SlowLane {
  private pending: RowPlace[] = [];
  private pendingEnd = 0;

  constructor(private readonly parts: SlowLaneParts) {}

  get pendingRows(): number {
    return this.pending.length;
  }

  get isFull(): boolean {
    return this.pending.length >= groupMaxRows;
  }

  /** Adds a row; only blank lines may be between the rows of a group.
   *  @param nextOffset file offset after the row's line end */
  add(place: RowPlace, nextOffset: number): void {
    this.pending.push(place);
    this.pendingEnd = nextOffset;
  }

  /** Reads the pending rows; call it before the window moves. */
  flush(): void {
    const [first] = this.pending;
    if (first === undefined) return;
    const bytes = this.bytesOf(first.start, this.pendingEnd);
    const group = bytes.includes(0) || !isUtf8(bytes) ? undefined : (this.quotedRows() ?? csvFields(bytes));
    if (group?.length === this.pending.length) {
      this.pending.forEach((place, index) => this.read(group[index] ?? noFields, place));
    } else {
      for (const place of this.pending) this.readAlone(place);
    }
    this.pending = [];
  }

  /** The fields of the pending rows if all fields of all rows are quoted. */
  private quotedRows(): string[][] | undefined {
    if (!this.parts.splitsQuoted) return undefined;
    const rows: string[][] = [];
    for (const { start, end } of this.pending) {
      const fields = quotedFields(this.bytesOf(start, end).toString());
      if (fields === undefined) return undefined;
      rows.push(fields);
    }
    return rows;
  }

  private readAlone(place: RowPlace): void {
    const bytes = this.bytesOf(place.start, place.end);
    if (bytes.includes(0)) return this.parts.rows.reject(place, this.notTextAt(place, "nul_byte"));
    if (!isUtf8(bytes)) return this.parts.rows.reject(place, this.notTextAt(place, "invalid_utf8"));
    const parsed = csvFields(bytes);
    const [fields] = parsed ?? [];
    if (fields === undefined || parsed?.length !== 1) return this.parts.rows.reject(place, malformedQuotes());
    this.read(fields, place);
  }

  private read(fields: readonly string[], place: RowPlace): void {
    const { rows, delimiter } = this.parts;
    const written = delimiter === "," ? fields : fields.map((field) => writtenText(field, delimiter));
    const recognized = rows.read(written, place);
    if (recognized !== undefined) this.parts.learn(place, recognized);
  }

  private notTextAt(place: RowPlace, reason: "nul_byte" | "invalid_utf8"): FieldError {
    const { rejections, header, delimiter } = this.parts;
    // the raw text shows a NUL byte and bad UTF-8 as U+FFFD
    const fields = csvFields(Buffer.from(rejections.rawText(place)), delimiter)?.[0] ?? [];
    const column = fields.findIndex((field) => field.includes("\u{FFFD}"));
    return notText(reason, { field: header[column] ?? "", value: fields[column] ?? "" });
  }

  private bytesOf(start: number, end: number): Buffer {
    const { window } = this.parts;
    return window.bytes.subarray(start - window.offset, end - window.offset);
  }
}
