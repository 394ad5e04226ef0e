import { availableParallelism } from "node:os";
import { join } from "node:path";
import { composeCommand } from "../dev/servers/containers.ts";
import { trixieFolder, reasonAgainstTrixie } from "../dev/servers/trixie.ts";
import { importedBy } from "./run-tests/imports.ts";
import { TestRuns } from "./run-tests/test-runs.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print } from "../src/terminal/print.ts";

const usage = `Runs the tests in FILE, or all of them.
  bun run test [FILE...] [options of 'bun test', such as --test-name-pattern]
Each test file starts the servers that it needs, or uses those that ETCD_ENDPOINTS and DATABASE_URL name.`;

// Without FILE, runs all files, two at a time: those that then only take longer (`canRunConcurrently`) at the same time as the rest.
// Servers that do not run in containers are started from a folder that takes minutes to build. If a selected test file needs that
// folder and this machine can build it, the folder is built first, outside the time limits of the tests.

const root = join(import.meta.dir, "..");
const args = process.argv.slice(2);
/** The modules that run a server or a client program from the folder. */
const starters = ["etcd", "postgres", "client-tools"].map((name) => `dev/servers/${name}.ts`);
/** The modules that start a server only if `variable` is not set and compose is not available. */
const providers = [
  { file: "dev/servers/provide-etcd.ts", variable: "ETCD_ENDPOINTS" },
  { file: "dev/servers/provide-database.ts", variable: "DATABASE_URL" },
] as const;

/** Selects files as `bun test` does: those whose path contains one of the words. If no path contains any word, selects all
 *  files, because the words may be values of options. */
function selectedFiles(): string[] {
  const all = [...new Bun.Glob("test/**/*.test.ts").scanSync(root)];
  const words = args.filter((arg) => !arg.startsWith("-")).map((word) => word.replace(/^\.\//, ""));
  const selected = all.filter((file) => words.some((word) => file.includes(word)));
  return selected.length > 0 ? selected : all;
}

/** True if a selected file runs a server or a client program from the folder, always or only because no other server is
 *  provided. */
function needsFolder(): boolean {
  const provided = providers.filter(({ variable }) => process.env[variable] || composeCommand() !== undefined);
  const reached = importedBy(root, selectedFiles(), (file) => provided.every((provider) => provider.file !== file));
  return starters.some((starter) => reached.has(starter));
}

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
if (needsFolder()) {
  const reason = reasonAgainstTrixie();
  if (reason === undefined) await trixieFolder();
  else
    print(
      `Tests that start their own etcd or PostgreSQL, or run client programs of Debian trixie, will fail: ${reason}`,
    );
}
/** True for a run of all files, without options that concern single tests. On one processor, nothing runs at the same time. */
const isInTwo = args.every((arg) => arg.startsWith("--reporter")) && availableParallelism() > 1;
const tests = new TestRuns(root);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => tests.kill(signal));
process.exit(isInTwo ? await tests.runInTwo(selectedFiles(), args) : await tests.run(args));
