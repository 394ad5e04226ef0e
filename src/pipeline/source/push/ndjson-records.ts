import { messageOf } from "../../../kit/message-of.ts";
import { rawText } from "../bytes/shown-text.ts";
import { lineFeed } from "../bytes/characters.ts";
import { parseRecords } from "./exact-numbers.ts";
import { malformedRecord, type PushedRecord, recordMaxBytes } from "./pushed-record.ts";
import { hasSeveralObjects } from "./several-objects.ts";

/** Reads NDJSON: a record a line. A line that is no JSON, or too long, affects no other. */
export async function* ndjsonRecords(
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<PushedRecord[], void, undefined> {
  const lines = new Lines();
  for await (const chunk of content) yield lines.add(chunk);
  yield lines.end();
}

const severalObjects =
  "The line has several objects: write one object a line. curl keeps line ends with --data-binary, not with -d.";

class Lines {
  private line = 0;
  private index = 0;
  private rest: Buffer = Buffer.alloc(0);
  /** True within a line that is too long. */
  private isSkipping = false;

  add(chunk: Uint8Array): PushedRecord[] {
    const bytes = this.rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.rest, chunk]);
    const records: PushedRecord[] = [];
    let from = 0;
    for (let to = bytes.indexOf(lineFeed); to !== -1; to = bytes.indexOf(lineFeed, from)) {
      records.push(...this.read(bytes.subarray(from, to)));
      from = to + 1;
    }
    this.rest = bytes.subarray(from);
    if (this.rest.length > recordMaxBytes) records.push(...this.skip());
    return records;
  }

  end(): PushedRecord[] {
    return this.rest.length === 0 && !this.isSkipping ? [] : this.read(this.rest);
  }

  /** Leaves out a line that is too long, once. */
  private skip(): PushedRecord[] {
    const start = this.rest.subarray(0, recordMaxBytes);
    const raw = rawText(start);
    const tooLong = `The line has more than ${recordMaxBytes} bytes, the limit for one record; write one record a line.`;
    const message = hasSeveralObjects(start.toString()) ? severalObjects : tooLong;
    const error = { ...({ reason: "record_too_large", field: "", value: "" } as const), message };
    this.rest = Buffer.alloc(0);
    if (this.isSkipping) return [];
    this.isSkipping = true;
    return [{ line: this.line + 1, index: this.index++, error, raw }];
  }

  private read(bytes: Buffer): PushedRecord[] {
    this.line += 1;
    if (this.isSkipping) {
      this.isSkipping = false;
      return [];
    }
    const { line } = this;
    try {
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).trim();
      return text === "" ? [] : [{ line, index: this.index++, value: parseRecords(text) }];
    } catch (error) {
      const message = hasSeveralObjects(bytes.toString())
        ? severalObjects
        : `The line is not JSON in UTF-8: ${messageOf(error)}; write one object a line.`;
      return [{ line, index: this.index++, error: malformedRecord(message), raw: rawText(bytes) }];
    }
  }
}
