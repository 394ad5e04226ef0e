import { UndecodableBlock } from "../errors.ts";

/** Where integers go, from one place up to another, and how wide they are: 0 to 53 bits. */
interface PackedPlaces {
  readonly from: number;
  readonly to: number;
  readonly width: number;
}

/** Reads what `ByteWriter` writes. Damaged bytes cause an error, or other numbers, but never a read beyond the end. */
export class ByteReader {
  /** Made when it is needed: most columns have no doubles. */
  private view: DataView | undefined;
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  /** @throws UndecodableBlock */
  uint8(): number {
    return this.bytes[this.taken(1)] as number;
  }

  /** @throws UndecodableBlock */
  double(): number {
    const { buffer, byteOffset, byteLength } = this.bytes;
    this.view ??= new DataView(buffer, byteOffset, byteLength);
    return this.view.getFloat64(this.taken(8));
  }

  /** @throws UndecodableBlock */
  bytesOf(count: number): Uint8Array {
    const at = this.taken(count);
    return this.bytes.subarray(at, at + count);
  }

  /** Reads bytes into the beginning of `target`: a view of them would take longer than to copy a few.
   *  @throws UndecodableBlock */
  copyTo(target: Uint8Array, count: number): void {
    const at = this.taken(count);
    for (let index = 0; index < count; index += 1) target[index] = this.bytes[at + index] as number;
  }

  /** The bytes that are left. */
  rest(): Uint8Array {
    return this.bytesOf(this.bytes.length - this.at);
  }

  /** @returns 0 to 2^53
   *  @throws UndecodableBlock */
  varint(): number {
    let [value, unit] = [0, 1];
    for (;;) {
      const byte = this.uint8();
      value += (byte & 127) * unit;
      if (byte < 128 && value <= 2 ** 53) return value;
      unit *= 128;
      if (unit > 2 ** 49) throw this.error("a number is greater than 2^53");
    }
  }

  /** @param limit the greatest count that makes sense
   *  @throws UndecodableBlock if the count is greater */
  count(limit: number): number {
    const count = this.varint();
    if (count > limit) throw this.error(`a count is ${count}, but at most ${limit} is possible`);
    return count;
  }

  /** Reads integers into places of `target`.
   *  @throws UndecodableBlock */
  packed(target: Float64Array, { from, to, width }: PackedPlaces): void {
    if (width > 24) return this.packedWide(target, { from, to, width });
    let at = this.taken(Math.ceil(((to - from) * width) / 8));
    const { bytes } = this;
    const mask = (1 << width) - 1;
    let [pending, bits] = [0, 0];
    for (let index = from; index < to; index += 1) {
      for (; bits < width; bits += 8) {
        // the upper bits that leave the 32 were read before
        pending = (pending << 8) | (bytes[at] as number);
        at += 1;
      }
      bits -= width;
      target[index] = (pending >>> bits) & mask;
    }
  }

  /** Reads integers that are zigzags, and adds the offset to what they stand for.
   *  @throws UndecodableBlock */
  packedZigzag(target: Float64Array, { from, to, width, offset }: PackedPlaces & { readonly offset: number }): void {
    if (width > 24) {
      this.packedWide(target, { from, to, width });
      for (let index = from; index < to; index += 1) {
        const integer = target[index] as number;
        target[index] = offset + (integer % 2 === 0 ? integer / 2 : -(integer + 1) / 2);
      }
      return;
    }
    // as `packed`, in one pass
    let at = this.taken(Math.ceil(((to - from) * width) / 8));
    const { bytes } = this;
    const mask = (1 << width) - 1;
    let [pending, bits] = [0, 0];
    for (let index = from; index < to; index += 1) {
      for (; bits < width; bits += 8) {
        pending = (pending << 8) | (bytes[at] as number);
        at += 1;
      }
      bits -= width;
      const integer = (pending >>> bits) & mask;
      target[index] = offset + ((integer >>> 1) ^ -(integer & 1));
    }
  }

  /** Reads as many bits as `target` has elements.
   *  @throws UndecodableBlock */
  bits(target: Uint8Array): void {
    const at = this.taken(Math.ceil(target.length / 8));
    for (let index = 0; index < target.length; index += 1) {
      target[index] = ((this.bytes[at + (index >> 3)] as number) >> (7 - (index & 7))) & 1;
    }
  }

  error(fault: string): UndecodableBlock {
    return new UndecodableBlock(`${fault}, near byte ${this.at} of a column of ${this.bytes.length} bytes`);
  }

  private packedWide(target: Float64Array, { from, to, width }: PackedPlaces): void {
    let at = this.taken(Math.ceil(((to - from) * width) / 8));
    const { bytes } = this;
    let [pending, bits] = [0, 0];
    for (let index = from; index < to; index += 1) {
      let value = 0;
      for (let left = width; left > 0;) {
        const take = Math.min(left, 24);
        for (; bits < take; bits += 8) {
          pending = (pending << 8) | (bytes[at] as number);
          at += 1;
        }
        bits -= take;
        left -= take;
        value = value * 2 ** take + ((pending >>> bits) & ((1 << take) - 1));
      }
      target[index] = value;
    }
  }

  /** @returns where the next `count` bytes begin */
  private taken(count: number): number {
    const at = this.at;
    if (count > this.bytes.length - at)
      throw this.error(`it ends ${count} ${count === 1 ? "byte" : "bytes"} too early`);
    this.at = at + count;
    return at;
  }
}
