import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import journal from "../../drizzle/meta/_journal.json";
import { contractions, oldestOfRule } from "../../src/db/contractions.ts";

// The version before a migration runs next to it and after it: a migration only adds (docs/operations.md, "Migrations that do not stop
// the version before"). What cannot be read off the statements, such as a new rule about old columns, is up to the reviewer.

const tags = journal.entries.map(({ tag }) => tag);
const sqlOf = (tag: string): string => readFileSync(join(import.meta.dir, "../../drizzle", `${tag}.sql`), "utf8");

/** Statements that break the version before: they take away what it uses, or refuse what it writes. Replacing a view or a function is
 *  allowed, because that version names the columns that it reads. */
const takingAway: readonly (readonly [string, RegExp])[] = [
  ["drops a table", /\bdrop\s+table\b/i],
  ["drops a column", /\bdrop\s+column\b/i],
  ["drops a schema or type", /\bdrop\s+(?:schema|type)\b/i],
  ["renames", /\brename\s+(?:to|column|constraint|value)\b/i],
  ["changes a type", /\balter\s+column\s+\S+\s+(?:set\s+data\s+)?type\b/i],
  ["forbids null in a column that exists", /\balter\s+column\s+\S+\s+set\s+not\s+null\b/i],
  ["drops a default", /\balter\s+column\s+\S+\s+drop\s+default\b/i],
  ["adds a column that the version before leaves empty", /\badd\s+column\b(?![^;]*\bdefault\b)[^;]*\bnot\s+null\b/i],
  ["adds a constraint to a table that exists", /\balter\s+table\b[^;]*\badd\s+constraint\b/i],
  ["deletes records", /\b(?:truncate|delete\s+from)\b/i],
];

/** What a migration takes away, in words. */
function takenAway(sql: string): string[] {
  const statements = sql.replaceAll(/--.*$/gm, "");
  return takingAway.flatMap(([what, pattern]) => (pattern.test(statements) ? [what] : []));
}

test("each migration since the rule only adds, or is among the contractions with its reason", () => {
  expect(tags).toContain(oldestOfRule);
  const later = tags.slice(tags.indexOf(oldestOfRule) + 1);
  const listed = new Set(contractions.map(({ migration }) => migration));
  const found = later.filter((tag) => !listed.has(tag)).map((tag) => [tag, takenAway(sqlOf(tag))]);
  expect(found.filter(([, what]) => what?.length !== 0)).toEqual([]);
});

test("each contraction comes after the migration that a program has to know, and has a reason", () => {
  for (const { migration, needs, reason } of contractions) {
    expect([migration, tags.indexOf(migration) > tags.indexOf(needs), tags.indexOf(needs) >= 0]).toEqual([
      migration,
      true,
      true,
    ]);
    expect(reason.length).toBeGreaterThan(20);
  }
});

test("the rule finds what earlier migrations took away, and lets pass what adds a metric", () => {
  const all = new Set(tags.flatMap((tag) => takenAway(sqlOf(tag))));
  expect(all.size).toBeGreaterThan(4);
  expect(
    takenAway(`ALTER TABLE "blocks" ADD COLUMN "m" "bytea";--> statement-breakpoint
ALTER TABLE "blocks" ALTER COLUMN "m" SET STORAGE EXTERNAL;--> statement-breakpoint
ALTER TABLE "gpus" ADD COLUMN "n" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
DROP VIEW IF EXISTS telemetry_all;--> statement-breakpoint
SELECT create_telemetry_all();`),
  ).toEqual([]);
  for (const statement of [
    'ALTER TABLE "gpus" ADD COLUMN "n" integer NOT NULL;',
    'ALTER TABLE "gpus" DROP COLUMN "n";',
    'ALTER TABLE "gpus" RENAME COLUMN "n" TO "m";',
    'ALTER TABLE "gpus" ALTER COLUMN "n" SET DATA TYPE bigint;',
    'DROP TABLE "gpus";',
  ])
    expect(takenAway(statement)).toHaveLength(1);
});
