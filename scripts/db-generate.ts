import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import config from "../drizzle.config.ts";
import { literal } from "../src/db/session-settings.ts";
import { metricText } from "../src/domain/metric-text.ts";
import { metrics } from "../src/domain/metrics.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";

const usage = `Generates a migration with the changes of src/db/schema.ts since the newest migration, and with what drizzle-kit does not
know: the storage and the comments of new columns, and the views telemetry_all and telemetry_named.
  bun run db:generate [--out ${config.out}] [--name NAME]`;

const statementBreak = "--> statement-breakpoint\n";
const changesMetrics =
  /^ALTER TABLE "telemetry" (?:ADD COLUMN "[^"]+" double precision|(?:ALTER|DROP|RENAME) COLUMN )/m;
const addsMetricColumn = /^ALTER TABLE "([^"]+)" ADD COLUMN "([^"]+)" "?(bytea|double precision)"?/gm;
const addsPackedColumn = /^ALTER TABLE "([^"]+)" ADD COLUMN "([^"]+)" "?bytea"?/gm;

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

/** The views have the columns of telemetry, and would keep those that they have from being changed. */
function withViews(migration: string): string {
  if (!changesMetrics.test(migration)) return migration;
  const drop = ["DROP VIEW IF EXISTS telemetry_named;", "DROP VIEW IF EXISTS telemetry_all;"];
  const create = ["SELECT create_telemetry_all();", "SELECT create_telemetry_named();\n"];
  return [...drop, migration.trimEnd(), ...create].join(statementBreak);
}

/** Adds statements that say what the columns of new metrics are. */
function withComments(migration: string): string {
  const comments = [...migration.matchAll(addsMetricColumn)].flatMap(([, table = "", column = "", type]) => {
    const metric = metrics.find(({ name }) => name === column);
    if (metric === undefined) return [];
    const text = literal(`${metricText(metric)}${type === "bytea" ? ", packed" : ""}`);
    return [`COMMENT ON COLUMN "${table}"."${column}" IS ${text};`];
  });
  return comments.length === 0 ? migration : [migration.trimEnd(), ...comments].join(statementBreak);
}

/** Adds statements that keep new columns of packed values out of PostgreSQL's own compression: it costs time and gains nothing. */
function withStorage(migration: string): string {
  const storage = [...migration.matchAll(addsPackedColumn)].map(
    ([, table = "", column = ""]) => `ALTER TABLE "${table}" ALTER COLUMN "${column}" SET STORAGE EXTERNAL;`,
  );
  return storage.length === 0 ? migration : [migration.trimEnd(), ...storage].join(statementBreak);
}

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const { values } = parseArgs({ options: { out: { type: "string", default: config.out }, name: { type: "string" } } });
const existing = await migrationsIn(values.out);
await generate(values.out, values.name);
for (const name of (await migrationsIn(values.out)).difference(existing)) {
  const path = join(values.out, name);
  await Bun.write(path, withViews(withComments(withStorage(await Bun.file(path).text()))));
}
