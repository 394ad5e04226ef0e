/** True for an error of the data, not of the server: class 22 (data), 23 (constraints) or 54 (a limit of PostgreSQL, such as
 *  the size of an index entry). Trying again does not help. A missing right or table (class 42) is not an error of the data:
 *  trying again succeeds once an operator has granted the right or created the table.
 *  Source: https://www.postgresql.org/docs/17/errcodes-appendix.html */
export function isDataError(sqlstate: string): boolean {
  return /^(?:22|23|54)/.test(sqlstate);
}

/** True if a function that decodes blocks refuses their bytes: it says so itself (XX001), or reads beyond their end or makes no sense of
 *  them (class 22), or would need too much (54). */
export function isUndecodable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return code === "XX001" || /^(?:22|54)/.test(code) || isUndecodable(error.cause);
}

/** True if the key of a row exists already (23505). */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23505";
}

/** True if a statement needed more temporary files than `temp_file_limit` allows (53400). */
export function isTemporaryLimit(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "53400";
}
