/** PostgreSQL's text form of arrays, for `$1::text::float8[]`: the same for every driver, and quick to build. */

/** NaN becomes NULL: a metric without a value. */
export function numberArray(values: ArrayLike<number>): string {
  const parts = new Array<string>(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] as number;
    parts[i] = value === value ? numberText(value) : "NULL";
  }
  return `{${parts.join(",")}}`;
}

/** Undefined becomes NULL. */
export function textArray(values: readonly (string | undefined)[]): string {
  return `{${values.map((value) => (value === undefined ? "NULL" : quoted(value))).join(",")}}`;
}

function quoted(value: string): string {
  return `"${withoutNul(value).replace(/["\\]/g, "\\$&")}"`;
}

/** The sign of -0, which String drops, is kept. */
function numberText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** PostgreSQL has no place for NUL: it becomes U+FFFD. */
export function withoutNul(value: string): string {
  return value.replaceAll("\u0000", "\ufffd");
}
