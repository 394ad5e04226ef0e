import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import config from "../drizzle.config.ts";

// Generates the migration from the schema after the newest migration to that of src/db/schema.ts. If telemetry's columns
// change, the migration also rebuilds the rollups, so that they have every metric of the catalogue.
//
// Usage: bun run db:generate [--out FOLDER] [--name NAME]

const statementBreak = "--> statement-breakpoint\n";
const changesTelemetryColumns = /^ALTER TABLE "telemetry" (?:ADD|ALTER|DROP|RENAME) COLUMN /m;

async function migrationsIn(folder: string): Promise<ReadonlySet<string>> {
  return new Set((await readdir(folder)).filter((name) => name.endsWith(".sql")));
}

/** Runs drizzle-kit, which accepts a configuration file or options, not both. The options repeat the file's dialect and
 *  schema, because `out` and `name` can be given. */
async function generate(folder: string, name: string | undefined): Promise<void> {
  const options = {
    dialect: config.dialect,
    schema: config.schema,
    out: folder,
    ...(name === undefined ? {} : { name }),
  };
  const kit = Bun.spawn(
    ["bunx", "drizzle-kit", "generate", ...Object.entries(options).flatMap(([key, value]) => [`--${key}`, value])],
    {
      stdio: ["inherit", "inherit", "inherit"],
    },
  );
  if ((await kit.exited) !== 0) process.exit(1);
}

/** Adds statements that drop the rollups before the change and create them after it, because they depend on the columns. */
function withRollups(migration: string): string {
  return ["SELECT drop_rollups();", migration.trimEnd(), "SELECT create_rollups();\n"].join(statementBreak);
}

const { values } = parseArgs({ options: { out: { type: "string", default: config.out }, name: { type: "string" } } });
const existing = await migrationsIn(values.out);
await generate(values.out, values.name);
for (const name of (await migrationsIn(values.out)).difference(existing)) {
  const path = join(values.out, name);
  const migration = await Bun.file(path).text();
  if (changesTelemetryColumns.test(migration)) await Bun.write(path, withRollups(migration));
}
