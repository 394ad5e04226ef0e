/** 2000-01-01, from which PostgreSQL counts instants, in milliseconds since 1970. */
export const postgresEpochMs = 946_684_800_000;
/** Microseconds: within an int64, but later than any timestamptz, so that PostgreSQL refuses it. */
const noInstantMicros = 9_223_371_900_000_000_000;
const jsonbVersion = 1;

/** Rows in COPY's binary format. A column of doubles is not converted to text and back, so each double stays the same to the
 *  last bit.
 *  Source: https://www.postgresql.org/docs/17/sql-copy.html#SQL-COPY-FILE-FORMATS (binary format) */
export class CopyRows {
  private bytes: Buffer;
  private view: DataView;
  private at: number;

  /** @param sizeHint the likely size in bytes; the buffer grows if needed */
  constructor(sizeHint: number) {
    this.bytes = Buffer.alloc(Math.max(64, sizeHint));
    this.view = viewOf(this.bytes);
    const signature = this.bytes.write("PGCOPY\n\xff\r\n\0", "latin1");
    // the flags and the length of the header's extension: two int32 zeros
    this.at = signature + 8;
  }

  /** Begins a row. Add its fields next, in the order of the columns. */
  row(fieldCount: number): void {
    this.reserve(2);
    this.view.setInt16(this.at, fieldCount);
    this.at += 2;
  }

  /** @param value an integer within the range of int8; NaN: no value */
  int8(value: number): void {
    if (value !== value) return this.noValue();
    const high = Math.floor(value / 2 ** 32);
    this.beginField(8);
    this.view.setInt32(this.at, high);
    this.view.setUint32(this.at + 4, value - high * 2 ** 32);
    this.at += 8;
  }

  /** @param value an integer within the range of int4 */
  int4(value: number): void {
    this.beginField(4);
    this.view.setInt32(this.at, value);
    this.at += 4;
  }

  /** @param value NaN: no value */
  float8(value: number): void {
    if (value !== value) return this.noValue();
    this.beginField(8);
    this.view.setFloat64(this.at, value);
    this.at += 8;
  }

  /** @param timeMs milliseconds since the epoch; PostgreSQL refuses a value beyond the range of timestamptz */
  timestamptz(timeMs: number): void {
    const exact = (timeMs - postgresEpochMs) * 1000;
    this.int8(Math.abs(exact) < noInstantMicros ? Math.round(exact) : noInstantMicros);
  }

  /** @param value undefined: no value */
  bytea(value: Uint8Array | undefined): void {
    this.text(value);
  }

  /** @param value UTF-8 without NUL; undefined: no value */
  text(value: Uint8Array | undefined): void {
    if (value === undefined) return this.noValue();
    this.beginField(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  /** @param value JSON in UTF-8; undefined: no value */
  jsonb(value: Uint8Array | undefined): void {
    if (value === undefined) return this.noValue();
    this.beginField(1 + value.length);
    this.view.setUint8(this.at, jsonbVersion);
    this.bytes.set(value, this.at + 1);
    this.at += 1 + value.length;
  }

  /** Ends the rows; add no row afterwards. @returns the complete data for COPY */
  end(): Uint8Array {
    this.row(-1);
    return this.bytes.subarray(0, this.at);
  }

  private noValue(): void {
    this.reserve(4);
    this.view.setInt32(this.at, -1);
    this.at += 4;
  }

  /** Writes the length of a field, and reserves its bytes. */
  private beginField(bytes: number): void {
    this.reserve(4 + bytes);
    this.view.setInt32(this.at, bytes);
    this.at += 4;
  }

  private reserve(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(this.bytes.length * 2, this.at + more));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
    this.view = viewOf(grown);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
