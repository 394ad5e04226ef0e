import { parseConfig } from "../src/config/parse-config.ts";
import { InvalidConfig, TelemetryError } from "../src/domain/errors.ts";
import { openPostgresStore } from "../src/pipeline/store/sql/open-postgres-store.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Brings the schema of the database at DATABASE_URL up to date, and prints the engine and version of the database.
  bun run db:migrate
Exits with 1, and the reason, if that fails. The embedded store migrates itself when it is opened.`;

try {
  if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
  const { databaseUrl: url } = parseConfig(process.env);
  if (url === undefined) {
    throw new InvalidConfig(["DATABASE_URL is not set: the embedded store migrates itself when it is opened"]);
  }
  const { description, engine, close } = await openPostgresStore({ url, migrate: true, maxConnections: 1 });
  print(`${description} is up to date: ${engine() ?? ""}`);
  await close();
} catch (error) {
  if (!(error instanceof TelemetryError)) throw error;
  printError(error.message);
  process.exitCode = 1;
}
