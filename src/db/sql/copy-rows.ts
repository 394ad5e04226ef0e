/** What PostgreSQL counts instants from: 2000-01-01, milliseconds since 1970. */
const postgresEpochMs = 946_684_800_000;
/** Within an int64 and beyond every timestamptz, microseconds. */
const noInstantMicros = 9_223_371_900_000_000_000;
const jsonbVersion = 1;

/** Rows in COPY's binary format: no number is made into text here nor read from it there, and a double arrives with the
 *  bits that it has.
 *  Source: https://www.postgresql.org/docs/17/sql-copy.html#SQL-COPY-FILE-FORMATS (binary format) */
export class CopyRows {
  private bytes: Buffer;
  private view: DataView;
  private at: number;

  /** @param sizeHint bytes that the rows are likely to take; it grows beyond them */
  constructor(sizeHint: number) {
    this.bytes = Buffer.alloc(Math.max(64, sizeHint));
    this.view = viewOf(this.bytes);
    const signature = this.bytes.write("PGCOPY\n\xff\r\n\0", "latin1");
    // no flags and no extension: two numbers that are 0
    this.at = signature + 8;
  }

  /** Begins a row; its fields are written after it, in the columns' order. */
  row(fieldCount: number): void {
    this.reserve(2);
    this.view.setInt16(this.at, fieldCount);
    this.at += 2;
  }

  int4(value: number): void {
    this.length(4);
    this.view.setInt32(this.at, value);
    this.at += 4;
  }

  /** @param value NaN is no value */
  float8(value: number): void {
    if (value !== value) return this.noValue();
    this.length(8);
    this.view.setFloat64(this.at, value);
    this.at += 8;
  }

  /** @param timeMs milliseconds since the epoch; PostgreSQL refuses what is no instant */
  timestamptz(timeMs: number): void {
    const exact = (timeMs - postgresEpochMs) * 1000;
    const micros = Math.abs(exact) < noInstantMicros ? Math.round(exact) : noInstantMicros;
    const high = Math.floor(micros / 2 ** 32);
    this.length(8);
    this.view.setInt32(this.at, high);
    this.view.setUint32(this.at + 4, micros - high * 2 ** 32);
    this.at += 8;
  }

  /** @param value UTF-8 without NUL; undefined is no value */
  text(value: Uint8Array | undefined): void {
    if (value === undefined) return this.noValue();
    this.length(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  /** @param value JSON in UTF-8; undefined is no value */
  jsonb(value: Uint8Array | undefined): void {
    if (value === undefined) return this.noValue();
    this.length(1 + value.length);
    this.view.setUint8(this.at, jsonbVersion);
    this.bytes.set(value, this.at + 1);
    this.at += 1 + value.length;
  }

  /** @returns all of them; no row can follow */
  end(): Uint8Array {
    this.row(-1);
    return this.bytes.subarray(0, this.at);
  }

  private noValue(): void {
    this.reserve(4);
    this.view.setInt32(this.at, -1);
    this.at += 4;
  }

  /** Begins a field of so many bytes and makes room for them. */
  private length(bytes: number): void {
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
