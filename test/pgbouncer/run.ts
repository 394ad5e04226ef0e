import { type PostgresServer, startPostgres } from "../../dev/servers/postgres.ts";
import { startPgbouncer } from "../../dev/servers/pgbouncer.ts";
import { messageOf } from "../../src/kit/message-of.ts";
import { openPostgresStore } from "../../src/pipeline/store/sql/open-postgres-store.ts";
import { answersHelp } from "../../src/terminal/answers-help.ts";
import { print, printError } from "../../src/terminal/print.ts";
import { createDatabase } from "../support/postgres-database.ts";

const usage = `Opens a new database through pgbouncer in each of its modes, with and without what its administrators set. It must work, or say
what to add to DATABASE_URL.
  bun run test:pgbouncer`;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);

const remedy = /\?prepare=false/;
/** This mode allows no transactions. */
const otherMode = /set pool_mode = transaction/;
const dropping =
  "ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout,tcp_user_timeout,jit,enable_seqscan," +
  "extra_float_digits,IntervalStyle,bytea_output,default_transaction_isolation,search_path";
const partly = "ignore_startup_parameters = statement_timeout,idle_in_transaction_session_timeout";

/** Opens the store, migrates it, and stores and reads something. @returns undefined, or the error */
async function tried(url: string): Promise<string | undefined> {
  try {
    const opened = await openPostgresStore({ url, migrate: true });
    try {
      await opened.store.ping();
      await opened.identity.ensure();
      await Promise.all(Array.from({ length: 20 }, () => opened.store.progressOf("csv:a")));
      return undefined;
    } finally {
      await opened.close();
    }
  } catch (error) {
    return messageOf(error);
  }
}

async function tryMode(server: PostgresServer, name: string, settings: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const query of ["", "?prepare=false", "?pgbouncer=true"]) {
    const database = await createDatabase(server, `b${crypto.randomUUID().slice(0, 8)}`);
    const bouncer = await startPgbouncer(database, settings);
    try {
      const error = await tried(`${bouncer.url}${query}`);
      const isTold = error !== undefined && ((query === "" && remedy.test(error)) || otherMode.test(error));
      const isRight = isTold || (error === undefined && !name.startsWith("statement"));
      print(`${isRight ? "right" : "WRONG"} ${name} ${query || "plain URL"}: ${error ?? "works"}`);
      if (!isRight) problems.push(`${name} ${query}: ${error}`);
    } finally {
      await bouncer.stop();
    }
  }
  return problems;
}

const server = await startPostgres();
try {
  const problems: string[] = [];
  for (const mode of ["session", "transaction", "statement"]) {
    for (const extra of ["", partly, dropping]) {
      const name = `${mode}, ${extra === "" ? "default" : extra === partly ? "two settings ignored" : "all settings ignored"}`;
      problems.push(...(await tryMode(server, name, [`pool_mode = ${mode}`, ...(extra === "" ? [] : [extra])])));
    }
  }
  if (problems.length > 0) {
    printError(problems.join("\n"));
    process.exitCode = 1;
  }
} finally {
  await server.stop();
}
