import { concurrentVariable } from "../../dev/servers/free-ports.ts";
import { print } from "../../src/terminal/print.ts";
import { canRunConcurrently } from "./can-run-concurrently.ts";
import { RunReports } from "./run-reports.ts";

/** The time limit of one test in ms. The default of `bun test` is too short for tests with servers. */
const timeoutMs = 30_000;
/** The limit of a test that runs at the same time as others, and gets what they leave of the processors. */
const concurrentTimeoutMs = 120_000;
/** How many files one of the runs in turn has: a run takes 1 s to start, and its memory grows with each file. */
const filesOfRun = 30;

/** Runs of `bun test`. */
export class TestRuns {
  private readonly running = new Set<Bun.Subprocess>();
  /** What has not been printed yet, because another run prints as it goes. */
  private unprinted: string[] | undefined;
  private isKilled = false;

  /** @param root  the checkout */
  constructor(private readonly root: string) {}

  /** Passes a signal on to what is running, and starts nothing more. */
  kill(signal: NodeJS.Signals): void {
    this.isKilled = true;
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

  /** Two runs at the same time: one of the files that need the processor, and runs of the others in turn, at a lower
   *  priority, whose output is printed after that of the first. Once the first has ended, the others run two at a time.
   *  @param options  of `bun test`  @returns the highest exit status */
  async runInTwo(files: readonly string[], options: readonly string[]): Promise<number> {
    const concurrent = files.filter((file) => canRunConcurrently(this.root, file));
    const rest = files.filter((file) => !concurrent.includes(file));
    const shares = sharesOf(concurrent, filesOfRun);
    const reports = new RunReports(options);
    const inTurn = async (run: (args: string[]) => Promise<number>, next: () => string[] | undefined) => {
      let highest = 0;
      for (let share = next(); share !== undefined && !this.isKilled; share = next()) {
        highest = Math.max(highest, await reports.of(share, run));
      }
      return highest;
    };
    const first = async (): Promise<number> => {
      this.unprinted = [];
      const status = await reports.of(rest, (args) => this.run(args));
      print(this.unprinted.join(""));
      this.unprinted = undefined;
      return Math.max(
        status,
        await inTurn(
          (args) => this.runPrinted(args),
          () => shares.pop(),
        ),
      );
    };
    const others = inTurn(
      (args) => this.runConcurrent(args),
      () => shares.shift(),
    );
    return Math.max(...(await Promise.all([first(), others])));
  }

  /** At a lower priority, with ports of its own. */
  private runConcurrent(args: readonly string[]): Promise<number> {
    return this.runPrinted(args, ["nice", "-n", "5"], { [concurrentVariable]: "1" });
  }

  /** Prints the output as a whole. */
  private async runPrinted(args: readonly string[], by: readonly string[] = [], env = {}): Promise<number> {
    const bun = [process.execPath, "test", "--timeout", String(concurrentTimeoutMs)];
    const tests = Bun.spawn([...by, ...bun, ...args], {
      cwd: this.root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [status, ...outputs] = await Promise.all([this.ended(tests), tests.stdout.text(), tests.stderr.text()]);
    if (this.unprinted === undefined) print(outputs.join(""));
    else this.unprinted.push(outputs.join(""));
    return status;
  }

  private async ended(tests: Bun.Subprocess): Promise<number> {
    this.running.add(tests);
    const status = await tests.exited;
    this.running.delete(tests);
    return status;
  }
}

/** The files in shares of at most `size`, alike in length and in what they have of each folder: files of a folder are next to
 *  each other, and take about as long. */
function sharesOf(files: readonly string[], size: number): string[][] {
  const count = Math.ceil(files.length / size);
  return Array.from({ length: count }, (_, share) => files.filter((__, index) => index % count === share));
}
