import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Command } from "commander";
import { answerOf } from "gpu-telemetry-client";
import type { ArchiveFiles } from "../../src/pipeline/upkeep/archive/archive-files.ts";
import { openArchiveFiles, s3Form } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { quoted } from "../../src/domain/cut-text.ts";
import { print, printError } from "../../src/terminal/print.ts";
import { parquetRecords } from "./import/parquet-records.ts";
import { bodiesOf, sendPush } from "./import/pushes.ts";
import { cellOf, type Output } from "./output.ts";
import { UsageError } from "./usage-error.ts";

/** Adds the command `import`. */
export function addImport(program: Command, output: () => Output): void {
  program
    .command("import")
    .description(
      "push the records of Parquet files, such as those of export and of the archive; once more does no harm",
    )
    .argument("<from>", "a Parquet file, a folder of them, or s3://bucket/prefix (credentials: AWS_ACCESS_KEY_ID, ...)")
    .action((from: string) => importRecords(output(), from));
}

/** The most reasons that are printed. */
const shownMax = 10;

interface Totals {
  files: number;
  /** Files that cannot be read, or only a part of them. */
  failed: number;
  records: number;
  rejected: number;
  readonly reasons: string[];
  readonly unread: Set<string>;
  /** Likely misspellings of metrics, each with the one that is meant. */
  readonly misspelled: Map<string, string>;
}

/** Pushes the records of all files, one file after the other. @throws UsageError, GatewayError, GatewayUnreachable */
async function importRecords(output: Output, from: string): Promise<void> {
  // an answer before much is read; then, a gateway that restarts is waited for
  await answerOf(output.gateway.GET("/health/live"));
  const totals: Totals = {
    files: 0,
    failed: 0,
    records: 0,
    rejected: 0,
    reasons: [],
    unread: new Set(),
    misspelled: new Map(),
  };
  for await (const { files, path } of filesAt(from)) await tryFile(output, totals, { files, path });
  if (totals.files + totals.failed === 0) throw new UsageError(`${from} has no files that end in .parquet`);
  for (const reason of totals.reasons) printError(reason);
  if (totals.rejected + totals.failed > 0) process.exitCode = 1;
  const { reasons: _, unread, misspelled, ...counts } = totals;
  if (output.asJson) return print(JSON.stringify({ ...counts, unread: [...unread] }));
  for (const [name, meant] of misspelled) {
    printError(`The metric ${quoted(name)} is stored under its own name (did you mean ${cellOf(meant)}?)`);
  }
  if (unread.size > 0) printError(`These columns are not read: ${[...unread].map((name) => quoted(name)).join(", ")}`);
  const rejected = totals.rejected === 0 ? "" : `; ${totals.rejected} values or records were rejected`;
  const failed = totals.failed === 0 ? "" : `; ${totals.failed} file(s) could not be read`;
  print(`${totals.records.toLocaleString("en-US")} records of ${totals.files} file(s)${rejected}${failed}`);
}

/** Imports a file. One that cannot be read does not keep others from it. @throws GatewayError, GatewayUnreachable */
async function tryFile(output: Output, totals: Totals, file: FoundFile): Promise<void> {
  try {
    await importFile(output, totals, file);
    totals.files += 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    totals.failed += 1;
    printError(error.message);
  }
}

async function importFile(output: Output, totals: Totals, { files, path }: FoundFile): Promise<void> {
  const name = `${files.description}/${path}`.replace(/(?<!:)\/\/+/g, "/");
  for await (const body of bodiesOf(parquetRecords(await files.open(path), name))) {
    const { records, rejected, rejectedCount, unread, misspelled } = await sendPush(output, body);
    totals.records += records;
    totals.rejected += rejectedCount;
    for (const column of unread) totals.unread.add(column);
    for (const { name: own, meant } of misspelled) totals.misspelled.set(own, meant);
    for (const { message } of rejected.slice(0, shownMax - totals.reasons.length)) {
      totals.reasons.push(`${name}: ${cellOf(message)}`);
    }
  }
}

interface FoundFile {
  readonly files: ArchiveFiles;
  readonly path: string;
}

async function* filesAt(from: string): AsyncGenerator<FoundFile, void> {
  const isFile = !s3Form.test(from) && (await stat(from).catch(() => undefined))?.isFile() === true;
  const isObject = s3Form.test(from) && from.endsWith(".parquet");
  const files = openArchiveFiles(isFile ? dirname(from) : isObject ? from.slice(0, from.lastIndexOf("/")) : from);
  if (isFile || isObject) yield { files, path: from.slice(from.lastIndexOf("/") + 1) };
  else for await (const { path } of files.list()) yield { files, path };
}
