/** The settings that statements and their answers rely on. Databases and roles may have others as their defaults, so every session
 *  sets them: otherwise numbers would lose digits, and texts of instants and bytes would mean something else. */
export const sessionSettings = {
  TimeZone: "UTC",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  extra_float_digits: "1",
  bytea_output: "hex",
  standard_conforming_strings: "on",
  default_transaction_isolation: "read committed",
} as const;

/** Those of them that poolers (pgbouncer) accept at the start of a session, and keep for each client. */
export const pooledSettings = {
  TimeZone: sessionSettings.TimeZone,
  DateStyle: sessionSettings.DateStyle,
  standard_conforming_strings: sessionSettings.standard_conforming_strings,
} as const;

/** A text as an SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as an SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
