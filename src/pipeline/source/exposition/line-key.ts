import { backslash, closeBrace, lineFeed, openBrace, quote, space, tab } from "../bytes/characters.ts";
import { hashStart, hashStep } from "../bytes/byte-hash.ts";

/** A text in the exposition, with its hash. One object is used for many texts. */
export class Span {
  start = 0;
  /** The byte after the last one. */
  end = 0;
  hash = hashStart;

  get length(): number {
    return this.end - this.start;
  }

  take(start: number, end: number, hash: number): void {
    this.start = start;
    this.end = end;
    this.hash = hash;
  }
}

/** The parts of a line that say what it is about: the name and the labels of a sample, or a comment as a whole. One object is used
 *  for all lines. */
export class LineKey {
  /** The name, or the comment. */
  readonly head = new Span();
  /** The labels with their braces; empty in a line without braces. */
  readonly tail = new Span();

  get byteCount(): number {
    return this.head.length + this.tail.length;
  }

  /** The byte after both. */
  get end(): number {
    return this.tail.end;
  }

  /** Finds name and labels, without a check of what they contain.
   *  @param at the first byte of the line that is not blank
   *  @returns false if the braces do not close in the line */
  findSeries(bytes: Uint8Array, at: number): boolean {
    this.findName(bytes, at);
    const { end } = this.head;
    let next = end;
    while (bytes[next] === space || bytes[next] === tab) next += 1;
    if (bytes[next] === openBrace) return this.findLabels(bytes, next);
    this.tail.take(end, end, hashStart);
    return true;
  }

  /** Takes the bytes from `start` to `end` as a comment. */
  takeComment(bytes: Uint8Array, start: number, end: number): void {
    let hash = hashStart;
    for (let at = start; at < end; at += 1) hash = hashStep(hash, bytes[at] as number);
    this.head.take(start, end, hash);
    this.tail.take(end, end, hashStart);
  }

  private findName(bytes: Uint8Array, start: number): void {
    let hash = hashStart;
    let at = start;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (byte <= space || byte === openBrace) break;
      hash = hashStep(hash, byte);
    }
    this.head.take(start, at, hash);
  }

  /** A brace in quotes is text; a quote after a backslash is text. */
  private findLabels(bytes: Uint8Array, start: number): boolean {
    let hash = hashStart;
    let isQuoted = false;
    let isEscaped = false;
    for (let at = start; at < bytes.length; at += 1) {
      const byte = bytes[at] as number;
      if (byte === lineFeed) return false;
      hash = hashStep(hash, byte);
      if (isEscaped) isEscaped = false;
      else if (byte === quote) isQuoted = !isQuoted;
      else if (isQuoted) isEscaped = byte === backslash;
      else if (byte === closeBrace) {
        this.tail.take(start, at + 1, hash);
        return true;
      }
    }
    return false;
  }
}
