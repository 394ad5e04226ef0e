// Thousands of rows cost postgres.js more than all that is done with them. So they travel as one value: each row in the binary form of a
// PostgreSQL row, which is the number of its fields (int32), and for each field the oid of its type, its length (-1: NULL) and its
// bytes; one row after the other.

/** An SQL expression: the rows of a query as one value, in their order; NULL if there are none.
 *  @param fields expressions, each of a type that `JoinedRows` reads */
export function joinedRows(fields: readonly string[]): string {
  return `string_agg(record_send(row(${fields.join(", ")})), '')`;
}

/** Reads what `joinedRows` gave: row by row, and of each row field by field. */
export class JoinedRows {
  private readonly view: DataView;
  private at = 0;

  constructor(private readonly sent: Uint8Array) {
    this.view = new DataView(sent.buffer, sent.byteOffset, sent.byteLength);
  }

  /** Goes to the next row: call it before the fields of each are read.
   *  @returns false after the last one */
  next(): boolean {
    if (this.at >= this.sent.length) return false;
    this.at += 4;
    return true;
  }

  /** Reads a field of type `float8`, which is not NULL. */
  float8(): number {
    this.begin();
    return this.view.getFloat64(this.at - 8);
  }

  /** Reads a field of type `float8`. */
  float8OrNull(): number | null {
    return this.begin() < 0 ? null : this.view.getFloat64(this.at - 8);
  }

  /** Reads a field of type `int4`, which is not NULL. */
  int4(): number {
    this.begin();
    return this.view.getInt32(this.at - 4);
  }

  /** Reads a field of type `bytea`. The bytes are a part of those that were sent. */
  bytea(): Uint8Array | null {
    const length = this.begin();
    return length < 0 ? null : this.sent.subarray(this.at - length, this.at);
  }

  /** Reads a field of type `text`. */
  text(): string | null {
    const length = this.begin();
    return length < 0
      ? null
      : Buffer.from(this.sent.buffer, this.sent.byteOffset + this.at - length, length).toString();
  }

  /** Reads a field of type `text` that has JSON. */
  json(): unknown {
    const text = this.text();
    return text === null ? null : JSON.parse(text);
  }

  /** Goes to the end of the next field. @returns its length; -1: NULL */
  private begin(): number {
    const length = this.view.getInt32(this.at + 4);
    this.at += 8 + Math.max(0, length);
    return length;
  }
}
