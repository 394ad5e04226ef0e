/** A byte string in an arena. */
export interface Piece {
  readonly start: number;
  readonly length: number;
}

/** Grows by doubling. Small, because each target of a scrape has an arena of its own. */
const initialBytes = 4 * 1024;
const wordBytes = 8;

/** Stores many short byte strings in one buffer, and compares other bytes with them. A buffer for each string would take five
 *  times the memory. The arena can only be cleared as a whole. */
export class ByteArena {
  private bytes: Uint8Array<ArrayBuffer>;
  private view: DataView;
  private used = 0;

  constructor(private readonly maxBytes: number) {
    this.bytes = new Uint8Array(Math.min(initialBytes, maxBytes));
    this.view = new DataView(this.bytes.buffer);
  }

  get usedBytes(): number {
    return this.used;
  }

  hasRoomFor(byteCount: number): boolean {
    return this.used + byteCount <= this.maxBytes;
  }

  /** Adds a copy of the bytes; call it only if `hasRoomFor` them. */
  add(bytes: Uint8Array): Piece {
    const end = this.used + bytes.length;
    if (end > this.bytes.length) this.grow(end);
    this.bytes.set(bytes, this.used);
    const piece = { start: this.used, length: bytes.length };
    this.used = end;
    return piece;
  }

  /** Deletes every piece. */
  clear(): void {
    this.used = 0;
  }

  /** True if the bytes of `other` at `at` equal the piece. Compares 8 bytes at a time as doubles, which takes 12 ns for 110
   *  bytes; Buffer.compare takes 45 ns.
   *
   *  Equal doubles have the same bytes, except 0 and -0. Both 0 and -0 contain NUL bytes, so a piece without NUL bytes never
   *  equals different bytes. A NaN is unequal even to itself, so a piece with a NaN among these doubles is never found. */
  isAt(piece: Piece, other: DataView, at: number): boolean {
    const { view } = this;
    const { start, length } = piece;
    if (at + length > other.byteLength) return false;
    if (length < wordBytes) return this.isShortAt(piece, other, at);
    const lastWord = length - wordBytes;
    for (let index = 0; index < lastWord; index += wordBytes) {
      if (other.getFloat64(at + index, true) !== view.getFloat64(start + index, true)) return false;
    }
    // the last word overlaps the word before it, unless the length is a multiple of 8
    return other.getFloat64(at + lastWord, true) === view.getFloat64(start + lastWord, true);
  }

  private isShortAt({ start, length }: Piece, other: DataView, at: number): boolean {
    for (let index = 0; index < length; index += 1) {
      if (other.getUint8(at + index) !== this.view.getUint8(start + index)) return false;
    }
    return true;
  }

  private grow(neededBytes: number): void {
    const grown = new Uint8Array(Math.max(neededBytes, this.bytes.length * 2));
    grown.set(this.bytes);
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** A byte string with an arena of its own. */
export class ByteString {
  private readonly arena: ByteArena;
  private readonly piece: Piece;

  constructor(bytes: Uint8Array) {
    this.arena = new ByteArena(bytes.length);
    this.piece = this.arena.add(bytes);
  }

  get length(): number {
    return this.piece.length;
  }

  /** True if the bytes of `other` at `at` equal the string; see ByteArena. */
  isAt(other: DataView, at: number): boolean {
    return this.arena.isAt(this.piece, other, at);
  }
}

/** A view of the same memory as `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
