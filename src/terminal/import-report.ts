import type { IngestResult, SourceTotals } from "../pipeline/store/telemetry-store.ts";
import { quoted } from "../domain/cut-text.ts";
import type { RecordBatch, RejectReason } from "../domain/batch.ts";

/** The counts of an import. */
export interface ImportFigures {
  rows: number;
  samples: number;
  recordsStored: number;
  missing: number;
  rejected: Partial<Record<RejectReason, number>>;
  duplicates: number;
  conflicts: number;
  blankLines: number;
  repeatedHeaders: number;
}

/** Counts that are all 0. */
export function emptyFigures(): ImportFigures {
  return {
    rows: 0,
    samples: 0,
    recordsStored: 0,
    missing: 0,
    rejected: {},
    duplicates: 0,
    conflicts: 0,
    blankLines: 0,
    repeatedHeaders: 0,
  };
}

/** Adds the counts of one stored message; a duplicate adds nothing. */
export function addStored(figures: ImportFigures, batch: RecordBatch, result: IngestResult): void {
  if (result.duplicate) return;
  figures.rows += batch.tally.rows;
  figures.samples += batch.tally.samples;
  figures.recordsStored += result.recordsInserted;
  figures.missing += batch.tally.missing;
  figures.duplicates += batch.tally.duplicates;
  figures.conflicts += result.conflicts;
  figures.blankLines += batch.tally.blankLines;
  figures.repeatedHeaders += batch.tally.repeatedHeaders;
  for (const [reason, count] of Object.entries(result.rejected) as [RejectReason, number][]) {
    figures.rejected[reason] = (figures.rejected[reason] ?? 0) + count;
  }
}

/** The counts of all runs and processes, from the store's totals. */
export function figuresOf(totals: SourceTotals): ImportFigures {
  return { ...totals, recordsStored: totals.recordsInserted, rejected: { ...totals.rejected } };
}

/** The content of the final table. */
export interface ImportReport {
  readonly description: string;
  /** The counts of the messages that this process stored in this run. */
  readonly thisRun: ImportFigures;
  /** The counts of the whole file, over all runs and processes. */
  readonly inAll: ImportFigures;
  readonly seconds: number;
  /** Bytes that were published before this run, according to the checkpoints, and of which the store has no message. */
  readonly absentBytes: number;
  readonly deadLetters: number;
  /** Columns of the file that were not read completely. */
  readonly unreadColumns: readonly string[];
  /** Columns that became metrics outside the catalogue. */
  readonly ownColumns: readonly string[];
  /** Commands to go on with; may be empty. */
  readonly next: readonly string[];
}

/** With two columns of values, a line fits a terminal of 60 columns. */
const labelWidth = 28;
const valueWidth = 14;

/** The table that is printed after an import. */
export function importReportText(report: ImportReport): string {
  const { description, thisRun, inAll, seconds, absentBytes, deadLetters, unreadColumns, ownColumns, next } = report;
  const isPartial = thisRun.rows !== inAll.rows;
  const line = (label: string, value: number, total: number): string =>
    `  ${label.padEnd(labelWidth)}${grouped(isPartial ? value : total).padStart(valueWidth)}${isPartial ? grouped(total).padStart(valueWidth) : ""}`;
  const reasons = Object.entries(inAll.rejected) as [RejectReason, number][];
  const sum = (rejected: ImportFigures["rejected"]): number => Object.values(rejected).reduce((a, b) => a + b, 0);
  return [
    "",
    titleOf(description, { thisRun, inAll, absentBytes }),
    ...(isPartial
      ? [`  ${"".padEnd(labelWidth)}${"this run".padStart(valueWidth)}${"in all".padStart(valueWidth)}`]
      : []),
    line("rows read", thisRun.rows, inAll.rows),
    line("samples", thisRun.samples, inAll.samples),
    line("records stored", thisRun.recordsStored, inAll.recordsStored),
    line("missing values", thisRun.missing, inAll.missing),
    line("quarantined", sum(thisRun.rejected), sum(inAll.rejected)),
    ...reasons.map(([reason, total]) => line(`  ${reason}`, thisRun.rejected[reason] ?? 0, total)),
    line("duplicates", thisRun.duplicates, inAll.duplicates),
    ...(inAll.conflicts > 0 ? [line("conflicting values", thisRun.conflicts, inAll.conflicts)] : []),
    ...(inAll.blankLines > 0 ? [line("blank lines", thisRun.blankLines, inAll.blankLines)] : []),
    ...(inAll.repeatedHeaders > 0 ? [line("repeated headers", thisRun.repeatedHeaders, inAll.repeatedHeaders)] : []),
    ...(absentBytes > 0 ? [line("bytes not in the store", absentBytes, absentBytes)] : []),
    ...(deadLetters > 0 ? [line("dead letters", deadLetters, deadLetters)] : []),
    ...(unreadColumns.length > 0 ? [`  columns not read: ${unreadColumns.map(quoted).join(", ")}`] : []),
    ...ownColumnLines(ownColumns),
    `  ${"seconds".padEnd(labelWidth)}${seconds.toFixed(2).padStart(valueWidth)}`,
    `  ${"samples/s".padEnd(labelWidth)}${grouped(Math.round(thisRun.samples / Math.max(seconds, 0.001))).padStart(valueWidth)}`,
    ...(absentBytes > 0 ? [absentText] : []),
    ...(next.length > 0 ? ["", "Next, in another terminal:", ...next.map((command) => `  ${command}`)] : []),
    "",
  ].join("\n");
}

const ownColumnsMax = 20;

/** Lines that name the first columns that became metrics outside the catalogue, and count the others. */
export function ownColumnLines(columns: readonly string[]): string[] {
  if (columns.length === 0) return [];
  const more = columns.length - ownColumnsMax;
  return [
    "  not in the catalogue, numbers stored under their own names:",
    ...columns.slice(0, ownColumnsMax).map((column) => `    ${column}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
  ];
}

const absentText = `
  Checkpoints in etcd say that these bytes were published, but the store has no message of them: dead letters may hold them, or
  the store was replaced or restored from an older backup. To read the file again, delete its checkpoints (docs/backup.md).`;

function titleOf(
  description: string,
  { thisRun, inAll, absentBytes }: Pick<ImportReport, "thisRun" | "inAll" | "absentBytes">,
): string {
  if (inAll.rows === 0 && absentBytes === 0) return `${description} has no rows after its header`;
  if (thisRun.rows > 0) return `Imported ${description}`;
  if (absentBytes > 0) return `${description} was not read, and a part of it is not in the store`;
  return `${description} is already imported; it has no new rows`;
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
