import type { InputTally, RejectedInput } from "../../../src/domain/batch.ts";
import { batchesOf, type CsvFolder, exporterHeader, exporterRow, openCsvSource } from "../../support/csv-reading.ts";
import { type MergedRecord, recordsIn } from "../../support/merged-records.ts";

/** The time of a row that names none. */
export const rowTimeMs = Date.UTC(2025, 6, 18, 20, 42, 34);

/** What a file with some rows gives. */
export interface ReadRows {
  readonly batches: Awaited<ReturnType<typeof batchesOf>>;
  /** By uuid, then by instant. */
  readonly records: readonly MergedRecord[];
  readonly rejected: readonly RejectedInput[];
  /** Of the first batch. */
  readonly tally: InputTally | undefined;
  readonly unreadColumns: readonly string[];
}

/** Reads a text as a CSV file, once with the fast lane and once without; both must give the same. */
export async function readText(folder: CsvFolder, text: string): Promise<ReadRows> {
  const read = async (fastLane: boolean): Promise<ReadRows> => {
    const source = await openCsvSource(folder.write(`${text.trimEnd()}\n`), { fastLane });
    const batches = await batchesOf(source);
    const keyOf = ({ gpu, timeMs }: MergedRecord): string => `${gpu.uuid} ${timeMs}`;
    const records = batches.flatMap(({ batch }) => recordsIn(batch)).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    const rejected = batches.flatMap(({ batch }) => batch.rejected);
    return { batches, records, rejected, tally: batches[0]?.batch.tally, unreadColumns: source.unreadColumns };
  };
  const [slow, fast] = [await read(false), await read(true)];
  if (!Bun.deepEquals(slow.records, fast.records)) throw new Error("the fast lane gives other records");
  return slow;
}

/** Reads rows of the exporter's layout. Their cells and labels are those of `exporterRow`. */
export function readRows(folder: CsvFolder, rows: readonly Partial<Record<string, string>>[]): Promise<ReadRows> {
  return readText(folder, `${[exporterHeader, ...rows.map((cells) => exporterRow(cells))].join("\n")}\n`);
}

/** The values of a record by name: plain ones and custom ones. */
export function valuesOf(record: MergedRecord | undefined): Record<string, number> {
  return Object.fromEntries([...(record?.metrics ?? []), ...(record?.custom ?? [])]);
}
