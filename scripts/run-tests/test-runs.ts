import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { concurrentVariable } from "../../dev/servers/free-ports.ts";
import { print } from "../../src/terminal/print.ts";
import { canRunConcurrently } from "./can-run-concurrently.ts";
import { mergedReport } from "./merged-report.ts";

/** The time limit of one test in ms. The default of `bun test` is too short for tests with servers. */
const timeoutMs = 30_000;
/** The limit of a test that runs at the same time as others, and gets what they leave of the processors. */
const concurrentTimeoutMs = 120_000;

const reportOption = "--reporter-outfile=";

/** Runs of `bun test`. */
export class TestRuns {
  private readonly running = new Set<Bun.Subprocess>();

  /** @param root  the checkout */
  constructor(private readonly root: string) {}

  /** Passes a signal on to what is running. */
  kill(signal: NodeJS.Signals): void {
    for (const tests of this.running) tests.kill(signal);
  }

  /** One run. @param args  of `bun test`  @returns its exit status */
  run(args: readonly string[]): Promise<number> {
    const tests = Bun.spawn([process.execPath, "test", "--timeout", String(timeoutMs), ...args], {
      cwd: this.root,
      stdio: ["inherit", "inherit", "inherit"],
    });
    return this.ended(tests);
  }

  /** Two runs at the same time: one of the files that can, at a lower priority, and one of the rest. The output of
   *  the first is printed when it has ended, and its report added to that of the other.
   *  @param options  of `bun test`  @returns the exit status */
  async runInTwo(files: readonly string[], options: readonly string[]): Promise<number> {
    const concurrent = new Set(files.filter((file) => canRunConcurrently(this.root, file)));
    const pathsOf = (isConcurrent: boolean): string[] =>
      files.filter((file) => concurrent.has(file) === isConcurrent).map((file) => `./${file}`);
    const report = options.find((option) => option.startsWith(reportOption))?.slice(reportOption.length);
    const concurrentReport = `${report}.concurrent`;
    const concurrentOptions = options.map((option) =>
      option.startsWith(reportOption) ? `${reportOption}${concurrentReport}` : option,
    );
    const statuses = await Promise.all([
      this.run([...options, ...pathsOf(false)]),
      this.runConcurrent([...concurrentOptions, ...pathsOf(true)]),
    ]);
    if (report !== undefined) await addReport(report, concurrentReport);
    return Math.max(...statuses);
  }

  private async runConcurrent(args: readonly string[]): Promise<number> {
    const bun = ["nice", "-n", "5", process.execPath, "test", "--timeout", String(concurrentTimeoutMs)];
    const tests = Bun.spawn([...bun, ...args], {
      cwd: this.root,
      env: { ...process.env, [concurrentVariable]: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [status, ...outputs] = await Promise.all([this.ended(tests), tests.stdout.text(), tests.stderr.text()]);
    print(outputs.join(""));
    return status;
  }

  private async ended(tests: Bun.Subprocess): Promise<number> {
    this.running.add(tests);
    const status = await tests.exited;
    this.running.delete(tests);
    return status;
  }
}

/** Adds a report to another one. A run that was killed has written none. */
async function addReport(report: string, added: string): Promise<void> {
  if (!existsSync(added)) return;
  const reports = [report, added].filter((path) => existsSync(path));
  await writeFile(report, mergedReport(await Promise.all(reports.map((path) => readFile(path, "utf8")))));
  await rm(added);
}
