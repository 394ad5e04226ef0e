/** Classes of SQLSTATE that say the data is at fault, not the server: 22 data, 23 constraint, 54 a limit of PostgreSQL,
 *  such as an index entry's size. Trying again will not help. A missing right or table (class 42) is an operator's
 *  matter: the data waits until it is mended.
 *  Source: https://www.postgresql.org/docs/17/errcodes-appendix.html */
export function saysDataIsAtFault(sqlstate: string): boolean {
  return /^(?:22|23|54)/.test(sqlstate);
}

/** True where a row has a key that is there already (23505). */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "23505";
}
