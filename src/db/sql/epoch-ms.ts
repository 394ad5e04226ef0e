/** The SQL of an instant as milliseconds since the epoch, as a number that JavaScript can read. */
export function epochMs(column: string): string {
  return `(extract(epoch from ${column})::float8 * 1000)::float8`;
}
