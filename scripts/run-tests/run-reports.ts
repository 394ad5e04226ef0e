import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { mergedReport } from "./merged-report.ts";

const reportOption = "--reporter-outfile=";

/** Makes one JUnit report of those of several runs of `bun test`. It has the runs that have ended so far. */
export class RunReports {
  private readonly reports: string[] = [];
  private readonly file: string | undefined;
  private runs = 0;

  /** @param options  of `bun test`: `--reporter-outfile=` names the report, if there is to be one */
  constructor(private readonly options: readonly string[]) {
    this.file = options.find((option) => option.startsWith(reportOption))?.slice(reportOption.length);
  }

  /** Runs test files, and adds the report of this run. A run that was killed has none.
   *  @returns what `run` returns */
  async of(files: readonly string[], run: (args: string[]) => Promise<number>): Promise<number> {
    this.runs += 1;
    const own = `${this.file}.${this.runs}`;
    const options = this.options.map((option) => (option.startsWith(reportOption) ? `${reportOption}${own}` : option));
    const status = await run([...options, ...files.map((file) => `./${file}`)]);
    if (this.file !== undefined && existsSync(own)) {
      this.reports.push(await readFile(own, "utf8"));
      await rm(own);
      await writeFile(this.file, mergedReport(this.reports));
    }
    return status;
  }
}
