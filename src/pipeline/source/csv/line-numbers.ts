import type { RejectedInput } from "../../../domain/batch.ts";
import type { Position } from "../../../domain/range.ts";
import { lineFeed } from "../bytes/characters.ts";
import type { FileContent } from "../file/file-content.ts";
import { type CsvForm, translationOf } from "./csv-form.ts";
import { FileWindow } from "./file-window.ts";

/** The file whose lines are counted. */
export interface LineNumbersOptions {
  readonly path: string;
  readonly content: FileContent;
  /** A place whose line is known. */
  readonly start: Position;
  readonly endOffset: number;
  readonly chunkBytes: number;
  readonly form: CsvForm;
}

/** Numbers the lines of a file that is read in ranges. Only rejected rows need the number of their line, so the lines before a range
 *  are counted when its first row is rejected. A range that begins where the one before it ended needs no counting. */
export class LineNumbers {
  /** The last place whose line is known. */
  private latest: Position;

  constructor(private readonly options: LineNumbersOptions) {
    this.latest = options.start;
  }

  /** The lines of a range that begins at `from`. */
  ofRange(from: Position): RangeLines {
    this.remember(from);
    return new RangeLines(from, this);
  }

  /** The number of the line that begins at `offset`; 0 if it would have to be counted. */
  known(offset: number): number {
    return offset === this.latest.offset ? this.latest.line : 0;
  }

  remember(position: Position): void {
    if (position.line !== 0 && position.offset > this.latest.offset) this.latest = position;
  }

  /** Counts the lines before `offset`, from the nearest place that is known.
   *  @returns the number of the line that begins at `offset`; undefined if the signal aborts
   *  @throws UnusableSource when the file cannot be read or has become shorter */
  async at(offset: number, signal: AbortSignal): Promise<number | undefined> {
    const { path, content, start, endOffset, chunkBytes, form } = this.options;
    const from = this.latest.offset <= offset ? this.latest : start;
    const file = await content.open();
    try {
      const window = new FileWindow({
        file,
        path,
        fromOffset: from.offset,
        endOffset,
        chunkBytes,
        translate: translationOf(form),
      });
      let { line } = from;
      while (window.endOffset < offset) {
        if (signal.aborted) return undefined;
        await window.advance(window.endOffset);
        line += lineEndsIn(window.bytes.subarray(0, offset - window.offset));
      }
      this.remember({ offset, line });
      return line;
    } finally {
      await file.close();
    }
  }
}

/** The lines of a range while it is read. Until the number of its first line is known, that line has the number 1. */
export class RangeLines {
  /** Added to the reader's numbers; undefined while it is not known. */
  private before: number | undefined;
  /** Where the reader begins. */
  readonly from: Position;

  constructor(
    private readonly rangeFrom: Position,
    private readonly numbers: LineNumbers,
  ) {
    const line = rangeFrom.line === 0 ? numbers.known(rangeFrom.offset) : rangeFrom.line;
    this.before = line === 0 ? undefined : 0;
    this.from = { offset: rangeFrom.offset, line: Math.max(1, line) };
  }

  /** Counts the lines before the range, if that was not done. @returns false if the signal aborts */
  async count(signal: AbortSignal): Promise<boolean> {
    if (this.before !== undefined) return true;
    const line = await this.numbers.at(this.rangeFrom.offset, signal);
    if (line !== undefined) this.before = line - 1;
    return line !== undefined;
  }

  /** A place of the reader with its line's number in the file, or 0. */
  placed({ offset, line }: Position): Position {
    const position = { offset, line: this.before === undefined ? 0 : this.before + line };
    this.numbers.remember(position);
    return position;
  }

  /** Rejected inputs of the reader with their lines' numbers in the file. Call `count` first. */
  rejected(inputs: readonly RejectedInput[]): readonly RejectedInput[] {
    const { before = 0 } = this;
    return before === 0 ? inputs : inputs.map((input) => ({ ...input, line: input.line + before }));
  }
}

function lineEndsIn(bytes: Buffer): number {
  let lineEnds = 0;
  for (let at = bytes.indexOf(lineFeed); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) lineEnds += 1;
  return lineEnds;
}
