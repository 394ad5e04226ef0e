import type { Command } from "commander";
import { answerOf } from "gpu-telemetry-client";
import { s3Form } from "../../../src/pipeline/upkeep/archive/open-files.ts";
import { defined } from "../../../src/kit/defined.ts";
import { print, printError } from "../../../src/terminal/print.ts";
import { allPages } from "../all-pages.ts";
import { cellOf, type Output } from "../output.ts";
import { showRows } from "../show-rows.ts";
import { UsageError } from "../usage-error.ts";
import { type FileProblem, problemsOf } from "./verify-files.ts";

interface ArchiveOptions {
  readonly cluster?: string;
  readonly start?: string;
  readonly end?: string;
}

/** Adds the command `archive`.
 *  @param time the form of a time, for the help */
export function addArchive(program: Command, output: () => Output, time: string): void {
  const filtered = (command: Command): Command =>
    command
      .option("--cluster <id>", "only files of this cluster")
      .option("--start <time>", `only from the hour that has this time; ${time}`)
      .option("--end <time>", "only up to the hour that has this time");
  const archive = filtered(
    program
      .command("archive")
      .description("files of the archive, newest hour first, with their records and bytes; and what waits"),
  ).action((options: ArchiveOptions) => listArchive(output(), options));
  filtered(
    archive
      .command("verify")
      .description("read each file again, and compare it with what was noted when it was written")
      .argument("[place]", "the folder, or s3://bucket/prefix, if it is not the one that is noted"),
  ).action((place: string | undefined, _: object, command: Command) =>
    // the list has the same options, and takes those that are given
    verifyArchive(output(), place, command.optsWithGlobals<ArchiveOptions>()),
  );
}

/** As many as the API gives at once. */
const pageFiles = 10_000;

function allFiles({ gateway }: Output, { cluster, start, end }: ArchiveOptions) {
  const selection = defined({ cluster_id: cluster, start_time: start, end_time: end });
  return allPages((cursor) => {
    const query = { ...selection, ...cursor, limit: pageFiles };
    return answerOf(gateway.GET("/api/v1/archive", { params: { query } }));
  });
}

async function listArchive(output: Output, options: ArchiveOptions): Promise<void> {
  const { data: files, place, records, bytes, failure, ...waiting } = await allFiles(output, options);
  if (output.asJson) return print(JSON.stringify(files, null, 2));
  showRows(files, ["hour", "cluster_id", "records", "bytes"], { asJson: false });
  print(
    `${records.toLocaleString("en-US")} records, ${bytes.toLocaleString("en-US")} bytes${place === undefined ? "" : ` in ${cellOf(place)}`}`,
  );
  const { waiting_hours: hours, waiting_from: from } = waiting;
  if (hours > 0) print(`${hours} hour(s) wait to be archived${from === undefined ? "" : `, from ${cellOf(from)} on`}`);
  if (failure !== undefined) printError(`The last attempt failed: ${cellOf(failure)}`);
}

/** Reads every file. Exits with 1 if one is missing, changed or unreadable. @throws UsageError, GatewayError, GatewayUnreachable */
async function verifyArchive(output: Output, given: string | undefined, options: ArchiveOptions): Promise<void> {
  const { data: files, place: noted } = await allFiles(output, options);
  const place = given ?? noted;
  if (place === undefined) throw new UsageError("Nothing is archived: collectors write an archive with ARCHIVE_TO");
  const problems: FileProblem[] = await problemsOf(s3Form.test(place) ? place.replace(/\/$/, "") : place, files);
  if (problems.length > 0) process.exitCode = 1;
  if (output.asJson) return print(JSON.stringify({ files: files.length, problems }, null, 2));
  for (const { path, problem, detail } of problems) printError(`${cellOf(path)}: ${problem}: ${cellOf(detail)}`);
  print(`${files.length - problems.length} of ${files.length} file(s) are as they were written`);
}
