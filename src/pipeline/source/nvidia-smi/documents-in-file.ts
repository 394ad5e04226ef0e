import type { FileHandle } from "node:fs/promises";
import type { Position, Range } from "../../../domain/range.ts";

/** A document of a file, with the white space around it. */
export interface DocumentInFile extends Range {
  /** Undefined if it is larger than the limit. */
  readonly xml: string | undefined;
  /** False if the file ends before the document does. */
  readonly isWhole: boolean;
}

const rootEnd = Buffer.from("</nvidia_smi_log>");
/** A larger document is not kept in memory. */
export const documentMaxBytes = 4 * 1024 * 1024;
const chunkBytes = 256 * 1024;
const lineFeed = 0x0a;

/** Finds the documents of a file, one after another, as `nvidia-smi -q -x -l` writes them. A document ends after its last tag; the last
 *  one ends where the file ends.
 *  @param from where a document begins
 *  @param endOffset bytes after it are not read */
export async function* documentsInFile(
  file: FileHandle,
  from: Position,
  endOffset: number,
): AsyncIterable<DocumentInFile> {
  const splitter = new DocumentSplitter(from);
  for (let offset = from.offset; offset < endOffset;) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, endOffset - offset));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, offset);
    if (bytesRead === 0) break;
    offset += bytesRead;
    yield* splitter.add(chunk.subarray(0, bytesRead));
  }
  yield* splitter.end();
}

/** Divides the bytes of a file into documents. */
class DocumentSplitter {
  private held: Buffer = Buffer.alloc(0);
  private isTooLarge = false;
  /** The last document that has ended: white space may follow it up to the end of the file. */
  private last: DocumentInFile | undefined;
  private at: Position;

  constructor(private start: Position) {
    this.at = start;
  }

  *add(bytes: Buffer): Iterable<DocumentInFile> {
    // an end tag may be divided between two chunks
    let searchFrom = Math.max(0, this.held.length - rootEnd.length + 1);
    this.held = Buffer.concat([this.held, bytes]);
    for (;;) {
      const tag = this.held.indexOf(rootEnd, searchFrom);
      if (tag === -1) break;
      if (this.last !== undefined) yield this.last;
      this.last = this.take(tag + rootEnd.length, true);
      searchFrom = 0;
    }
    if (this.held.length <= documentMaxBytes) return;
    this.isTooLarge = true;
    this.pass(this.held.length - rootEnd.length + 1);
  }

  *end(): Iterable<DocumentInFile> {
    const { last } = this;
    const isBlank = !this.isTooLarge && this.held.toString("latin1").trim() === "";
    const rest = this.take(this.held.length, false);
    if (last !== undefined) yield isBlank ? { ...last, to: rest.to } : last;
    if (!isBlank) yield rest;
  }

  private take(bytes: number, isWhole: boolean): DocumentInFile {
    const xml = this.isTooLarge || bytes > documentMaxBytes ? undefined : this.held.toString("utf8", 0, bytes);
    this.pass(bytes);
    const document = { from: this.start, to: this.at, xml, isWhole };
    this.start = this.at;
    this.isTooLarge = false;
    return document;
  }

  private pass(bytes: number): void {
    let lines = 0;
    for (const byte of this.held.subarray(0, bytes)) if (byte === lineFeed) lines += 1;
    this.at = { offset: this.at.offset + bytes, line: this.at.line + lines };
    this.held = this.held.subarray(bytes);
  }
}
