/** PostgreSQL's text form of arrays, for `$1::text::float8[]`: the same for every driver, and quick to build. */

/** NaN becomes NULL: a metric without a value. The sign of -0, which String drops, is kept. */
export function numberArray(values: ArrayLike<number>): string {
  const parts = new Array<string>(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    if (value === value) parts[i] = Object.is(value, -0) ? "-0" : String(value);
    else parts[i] = "NULL";
  }
  return `{${parts.join(",")}}`;
}

/** Undefined becomes NULL; NUL, which PostgreSQL has no place for, becomes U+FFFD. */
export function textArray(values: readonly (string | undefined)[]): string {
  return `{${values.map((value) => (value === undefined ? "NULL" : quoted(value))).join(",")}}`;
}

function quoted(value: string): string {
  return `"${withoutNul(value).replace(/["\\]/g, "\\$&")}"`;
}

function withoutNul(value: string): string {
  return value.replaceAll("\u0000", "\ufffd");
}
