import { identifier } from "./session-settings.ts";

/** What PostgreSQL says about a missing right, and the statement that grants it. Names may be quoted.
 *  Source: aclcheck_error of https://github.com/postgres/postgres/blob/REL_17_STABLE/src/backend/catalog/aclchk.c */
const grants: readonly [RegExp, (name: string, user: string) => string][] = [
  [
    /^permission denied for database (.+)$/,
    (name, user) => `GRANT CREATE, CONNECT, TEMPORARY ON DATABASE ${name} TO ${user}`,
  ],
  [/^permission denied for schema (.+)$/, (name, user) => `GRANT USAGE, CREATE ON SCHEMA ${name} TO ${user}`],
  [/^permission denied for sequence (.+)$/, (name, user) => `GRANT USAGE, SELECT ON SEQUENCE ${name} TO ${user}`],
  [/^permission denied for function (.+)$/, (name, user) => `GRANT EXECUTE ON FUNCTION ${name} TO ${user}`],
  [
    /^permission denied for (?:table|view|materialized view|relation) (.+)$/,
    (name, user) => `GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES ON TABLE ${name} TO ${user}`,
  ],
  [/^must be owner of (?:table|relation) (.+)$/, (name, user) => `ALTER TABLE ${name} OWNER TO ${user}`],
  [/^must be owner of view (.+)$/, (name, user) => `ALTER VIEW ${name} OWNER TO ${user}`],
  [/^must be owner of function (.+)$/, (name, user) => `ALTER FUNCTION ${name} OWNER TO ${user}`],
  [/^must be owner of schema (.+)$/, (name, user) => `ALTER SCHEMA ${name} OWNER TO ${user}`],
];

/** The statement that gives a user the right that an error names.
 *  @param message of an error of the class 42501
 *  @returns undefined if the error names no object */
export function grantFor(message: string, user: string): string | undefined {
  for (const [pattern, statement] of grants) {
    const name = pattern.exec(message)?.[1];
    if (name !== undefined) return statement(asIdentifier(name), asIdentifier(user));
  }
  return undefined;
}

/** A name as SQL needs it, without quotes where it needs none. */
function asIdentifier(name: string): string {
  const bare = name.replace(/^"(.*)"$/s, "$1");
  return /^[a-z_][a-z0-9_]*$/.test(bare) ? bare : identifier(bare);
}
