import { join } from "node:path";
import { composeCommand } from "../dev/servers/containers.ts";
import { trixieFolder, reasonAgainstTrixie } from "../dev/servers/trixie.ts";
import { importedBy } from "./run-tests/imports.ts";

// bun run test [FILE...] [options of `bun test`]
// Builds the folder that test servers are started from, at the first time that a selected file needs it, before any test's
// time runs; then runs `bun test`. Each test file starts the servers that it needs, or uses those that ETCD_ENDPOINTS and
// DATABASE_URL name.

const root = join(import.meta.dir, "..");
const args = process.argv.slice(2);
/** The limit of one test, ms: those with servers need more than `bun test` gives. */
const timeoutMs = 30_000;

/** What starts a server, or its client programs, from the folder. */
const starters = ["etcd", "postgres", "client-tools"].map((name) => `dev/servers/${name}.ts`);
const provider = "dev/servers/provide.ts";

/** As `bun test` selects them: a path has to contain one of the words. Of options with a value the value looks like a
 *  word: when no path contains one, it is every file. */
function selectedFiles(): string[] {
  const all = [...new Bun.Glob("test/**/*.test.ts").scanSync(root)];
  const words = args.filter((arg) => !arg.startsWith("-")).map((word) => word.replace(/^\.\//, ""));
  const selected = all.filter((file) => words.some((word) => file.includes(word)));
  return selected.length > 0 ? selected : all;
}

/** Whether a selected file starts a server itself, or is provided with one that is neither running nor in a container. */
function needsFolder(): boolean {
  const { ETCD_ENDPOINTS, DATABASE_URL } = process.env;
  const isProvided = Boolean(ETCD_ENDPOINTS && DATABASE_URL) || composeCommand() !== undefined;
  const reached = importedBy(root, selectedFiles(), (file) => !(isProvided && file === provider));
  return starters.some((starter) => reached.has(starter));
}

if (needsFolder()) {
  const reason = reasonAgainstTrixie();
  if (reason === undefined) await trixieFolder();
  else process.stdout.write(`Tests that start an etcd or PostgreSQL of their own will fail: ${reason}\n`);
}
const tests = Bun.spawn([process.execPath, "test", "--timeout", String(timeoutMs), ...args], {
  cwd: root,
  stdio: ["inherit", "inherit", "inherit"],
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => tests.kill(signal));
process.exit(await tests.exited);
