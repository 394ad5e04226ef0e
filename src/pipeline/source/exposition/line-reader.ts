import { backslash, carriageReturn, lineFeed, quote, space, tab } from "../bytes/characters.ts";

/** The name of a metric without quotes.
 *  Source: https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels */
export const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** A part of a line: the texts between blanks, quotes and other characters, from its start to its end. */
export class LineReader {
  constructor(
    readonly bytes: Buffer,
    public at: number,
    /** The end of the line, without its line end. */
    readonly end: number,
  ) {}

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  skipBlanks(): void {
    while (this.at < this.end && isBlank(this.bytes[this.at])) this.at += 1;
  }

  /** Passes over `byte`, if it is next. */
  take(byte: number): boolean {
    if (this.at >= this.end || this.bytes[this.at] !== byte) return false;
    this.at += 1;
    return true;
  }

  /** Reads up to the next blank or the end. */
  token(): string {
    const start = this.at;
    while (this.at < this.end && !isBlank(this.bytes[this.at])) this.at += 1;
    return this.textFrom(start);
  }

  /** Reads letters, digits and `_`: the name of a label without quotes, if no digit is first. */
  word(): string {
    const start = this.at;
    while (this.at < this.end && isOfWord(this.bytes[this.at] as number)) this.at += 1;
    return this.textFrom(start);
  }

  /** Reads a text in quotes, without its escapes. @returns undefined if no quote is next, or if the text does not end in the line */
  quotedText(): string | undefined {
    if (!this.take(quote)) return undefined;
    const start = this.at;
    let hasEscapes = false;
    for (; this.at < this.end; this.at += 1) {
      const byte = this.bytes[this.at];
      if (byte === quote) {
        const text = this.textFrom(start);
        this.at += 1;
        return hasEscapes ? unescaped(text) : text;
      }
      if (byte !== backslash) continue;
      hasEscapes = true;
      this.at += 1;
    }
    return undefined;
  }

  /** Everything up to the end. */
  rest(): string {
    const start = this.at;
    this.at = this.end;
    return this.textFrom(start);
  }

  private textFrom(start: number): string {
    return this.bytes.toString("utf8", start, this.at);
  }
}

/** Replaces `\\`, `\"` and `\n`. A backslash before any other character is text, as in `C:\driver`.
 *  Source: https://prometheus.io/docs/specs/om/open_metrics_spec/#abnf (`escaped-char`) */
export function unescaped(text: string): string {
  return text.replace(/\\([\\"n])/g, (_, character: string) => (character === "n" ? "\n" : character));
}

/** True for a space or a tab. */
export function isBlank(byte: number | undefined): boolean {
  return byte === space || byte === tab;
}

/** The start of the next line if a line ends at `at`; undefined if none does. The last line may end without a line end. */
export function afterLineEnd(bytes: Uint8Array, at: number): number | undefined {
  if (bytes[at] === lineFeed) return at + 1;
  if (at >= bytes.length) return bytes.length;
  if (bytes[at] !== carriageReturn) return undefined;
  if (at + 1 === bytes.length) return bytes.length;
  return bytes[at + 1] === lineFeed ? at + 2 : undefined;
}

function isOfWord(byte: number): boolean {
  const lower = byte | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x5f;
}
