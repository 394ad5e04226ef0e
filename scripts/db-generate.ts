import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import config from "../drizzle.config.ts";

// Generates a migration with the changes of src/db/schema.ts since the newest migration. If the columns of the table telemetry
// that have metrics change, the migration also rebuilds the rollups, so that they have every metric of the catalogue.
//
// Usage: bun run db:generate [--out FOLDER] [--name NAME]

const statementBreak = "--> statement-breakpoint\n";
const changesMetrics =
  /^ALTER TABLE "telemetry" (?:ADD COLUMN "[^"]+" double precision|(?:ALTER|DROP|RENAME) COLUMN )/m;

async function migrationsIn(folder: string): Promise<ReadonlySet<string>> {
  return new Set((await readdir(folder)).filter((name) => name.endsWith(".sql")));
}

/** Runs drizzle-kit, which accepts either a configuration file or options. `out` and `name` can vary, so this uses options, and
 *  repeats the file's dialect and schema in them. */
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

/** Adds statements that drop the rollups before the change and create them after the change, because the rollups depend on the
 *  columns. */
function withRollups(migration: string): string {
  return ["SELECT drop_rollups();", migration.trimEnd(), "SELECT create_rollups();\n"].join(statementBreak);
}

const { values } = parseArgs({ options: { out: { type: "string", default: config.out }, name: { type: "string" } } });
const existing = await migrationsIn(values.out);
await generate(values.out, values.name);
for (const name of (await migrationsIn(values.out)).difference(existing)) {
  const path = join(values.out, name);
  const migration = await Bun.file(path).text();
  if (changesMetrics.test(migration)) await Bun.write(path, withRollups(migration));
}
