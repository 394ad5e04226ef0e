// Thousands of rows cost postgres.js more than all that is done with them. So they travel as one value, one row after the other: each in
// the binary form of a PostgreSQL array of its fields, and often of another one of its numbers. In the form of a row (`record_send`), they
// cost PostgreSQL more: it looks up the type of each field.

/** A field of a row, as an SQL expression for its bytes. */
export const field = {
  float8: (expression: string): string => `float8send(${expression})`,
  int4: (expression: string): string => `int4send(${expression})`,
  text: (expression: string): string => `textsend(${expression})`,
  bytea: (expression: string): string => expression,
};

/** An SQL expression: one row, as `JoinedRows` reads it.
 *  @param fields what `field` gives */
export function sentRow(fields: readonly string[]): string {
  return `array_send(array[${fields.join(", ")}]::bytea[])`;
}

/** An SQL expression: the rows of a query as one value, in their order; NULL if there are none.
 *  @param fields what `field` gives
 *  @param numbers expressions of type float8, which cost less than as fields */
export function joinedRows(fields: readonly string[], numbers: readonly string[] = []): string {
  const more = numbers.length === 0 ? "" : ` || array_send(array[${numbers.join(", ")}]::float8[])`;
  return `string_agg(${sentRow(fields)}${more}, '')`;
}

/** The bytes before the first field: the number of dimensions, flags, the oid of the type, the number of fields, and that of the first one. */
const headerBytes = 20;

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
    this.at += headerBytes;
    return true;
  }

  /** Goes to the row's numbers, after its fields. */
  toNumbers(): void {
    this.at += headerBytes;
  }

  /** Reads a field of type `float8`, which is not NULL. */
  float8(): number {
    this.begin();
    return this.view.getFloat64(this.at - 8);
  }

  /** Reads a number, or a field of type `float8`. */
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
    const length = this.view.getInt32(this.at);
    this.at += 4 + Math.max(0, length);
    return length;
  }
}
