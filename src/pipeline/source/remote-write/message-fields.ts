import { isUtf8 } from "node:buffer";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { UnusablePush } from "../push.ts";

/** A value of NaN that says that a series has ended.
 *  Source: https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#stale-markers, "a signaling NaN with the bit pattern" */
const staleBits = 0x7ff0_0000_0000_0002n;

/** Reads the fields of messages in the encoding of Protocol Buffers. The package's decoder of whole messages makes an object of each, and a
 *  request has one for each label of each series. */
export class MessageFields {
  private readonly reader: BinaryReader;
  private readonly view: DataView;

  /** @param what the message, for errors */
  constructor(
    bytes: Uint8Array,
    private readonly what = "message of remote write",
  ) {
    this.reader = new BinaryReader(bytes, decodeText);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.reader.len;
  }

  /** Reads the fields up to a place.
   *  @param read reads the value of a field; false: it is not known, and is passed over
   *  @throws UnusablePush if the bytes are no such message */
  each(end: number, read: (field: number, type: WireType) => boolean): void {
    const { reader } = this;
    while (reader.pos < end) this.next(read);
    if (reader.pos !== end) throw this.malformed(`a field does not end where its message does (byte ${end})`);
  }

  /** Reads one field. */
  next(read: (field: number, type: WireType) => boolean): void {
    const { reader } = this;
    try {
      const [field, type] = reader.tag();
      if (!read(field, type)) reader.skip(type, field);
    } catch (error) {
      throw error instanceof UnusablePush ? error : this.malformed(`${(error as Error).message} (byte ${reader.pos})`);
    }
  }

  get isAtEnd(): boolean {
    return this.reader.pos >= this.reader.len;
  }

  /** The place after the message that begins here. */
  end(): number {
    const length = this.reader.uint32();
    const end = this.reader.pos + length;
    if (end > this.reader.len)
      throw this.malformed(`a message of ${length} bytes is cut off (byte ${this.reader.pos})`);
    return end;
  }

  /** Where the next value begins. */
  get place(): number {
    return this.reader.pos;
  }

  /** Goes to another place. */
  moveTo(place: number): void {
    this.reader.pos = place;
  }

  text(): string {
    return this.reader.string();
  }

  number(): number {
    return this.reader.uint32();
  }

  /** A field of numbers, packed or not. */
  numbers(type: WireType, into: number[]): void {
    if (type !== WireType.LengthDelimited) {
      into.push(this.number());
      return;
    }
    for (const end = this.end(); this.reader.pos < end;) into.push(this.number());
  }

  /** A time in milliseconds. */
  milliseconds(): number {
    return Number(this.reader.int64());
  }

  /** A fixed number of nanoseconds, in whole milliseconds. */
  nanosecondsAsMs(): number {
    return Number(BigInt(this.reader.fixed64()) / 1_000_000n);
  }

  /** A signed integer of 64 bits, in 8 bytes. */
  fixedInteger(): number {
    return Number(this.reader.sfixed64());
  }

  /** A signed integer of 64 bits. */
  integerText(): string {
    return String(this.reader.int64());
  }

  double(): { readonly value: number; readonly isStale: boolean } {
    const value = this.reader.double();
    return { value, isStale: Number.isNaN(value) && this.view.getBigUint64(this.reader.pos - 8, true) === staleBits };
  }

  /** The error of a body that is no such message. */
  malformed(reason: string): UnusablePush {
    return new UnusablePush("malformed", `The body is no ${this.what}: ${reason}`);
  }
}

/** Short texts are decoded several times as fast as by TextDecoder. Bytes that are no UTF-8 become halves of pairs, so that the text is not
 *  well formed. */
function decodeText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
  return text.includes("\ufffd") && !isUtf8(bytes) ? text.replaceAll("\ufffd", "\ud800") : text;
}
