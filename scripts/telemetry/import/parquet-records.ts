import { type FileMetaData, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { messageOf } from "../../../src/kit/message-of.ts";
import type { ReadableFile } from "../../../src/pipeline/upkeep/archive/archive-files.ts";
import { UsageError } from "../usage-error.ts";

/** A record as a push takes it. */
export type PushableRecord = Readonly<Record<string, unknown>>;

const owned = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => Uint8Array.from(bytes);
/** Those of the library itself are slow, or not in it. */
const compressors = {
  ZSTD: (bytes: Uint8Array) => Bun.zstdDecompressSync(owned(bytes)),
  GZIP: (bytes: Uint8Array) => Bun.gunzipSync(owned(bytes)),
};

/** What a file of records has at least. */
const required = ["timestamp", "uuid", "gpu_id", "hostname"];
/** Objects and lists, as JSON. */
const jsonColumns: ReadonlySet<string> = new Set(["custom", "occupants", "properties", "rollup"]);

/** Reads the records of a Parquet file that `telemetry export` or the archive has written, a group of rows at a time.
 *  @param name what the file is called in messages
 *  @throws UsageError if it is no such file */
export async function* parquetRecords(
  file: ReadableFile,
  name: string,
): AsyncGenerator<readonly PushableRecord[], void> {
  const metadata = await readable(name, () => parquetMetadataAsync(file));
  checkColumns(metadata, name);
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const rows = await readable(name, () => parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors }));
    yield rows.map((row) => recordOf(row, name));
    rowStart = rowEnd;
  }
}

async function readable<T>(name: string, read: () => Promise<T>): Promise<T> {
  return read().catch((cause: unknown) => {
    throw new UsageError(`${name} cannot be read as Parquet: ${messageOf(cause)}`, { cause });
  });
}

function checkColumns({ schema }: FileMetaData, name: string): void {
  const columns = new Set(schema.map((column) => column.name));
  const missing = required.filter((column) => !columns.has(column));
  if (missing.length === 0) return;
  throw new UsageError(`${name} has no records of GPUs: it lacks the columns ${missing.join(", ")}`);
}

function recordOf(row: Readonly<Record<string, unknown>>, name: string): PushableRecord {
  const record: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(row)) {
    if (value === null || value === undefined) continue;
    record[column] = jsonColumns.has(column) ? jsonOf(value, column, name) : plain(value);
  }
  if (record["rollup"] !== undefined) {
    throw new UsageError(
      `${name} has averages (its column rollup), which are no records; export with --resolution raw`,
    );
  }
  const { properties, ...rest } = record;
  return properties === undefined ? rest : { ...rest, labels_raw: labelsText(properties as Record<string, unknown>) };
}

function plain(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value instanceof Date ? value.toISOString() : value;
}

function jsonOf(value: unknown, column: string, name: string): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch (cause) {
    throw new UsageError(`${name}: a value of its column ${column} is no JSON: ${value.slice(0, 100)}`, { cause });
  }
}

/** Labels as an exporter writes them: texts that are numbers stay texts. */
function labelsText(properties: Readonly<Record<string, unknown>>): string {
  const escaped = (text: string): string => text.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`));
  return Object.entries(properties)
    .map(([name, text]) => `${name}="${escaped(String(text))}"`)
    .join(",");
}
