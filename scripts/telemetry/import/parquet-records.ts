import { messageOf } from "../../../src/kit/message-of.ts";
import type { ReadableFile } from "../../../src/pipeline/upkeep/archive/archive-files.ts";
import { openParquetRows } from "../../../src/pipeline/upkeep/archive/parquet-file-rows.ts";
import { UsageError } from "../usage-error.ts";

/** A record as a push takes it. */
export type PushableRecord = Readonly<Record<string, unknown>>;

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
  const { columns, groups } = await readable(name, () => openParquetRows(file));
  const missing = required.filter((column) => !columns.includes(column));
  if (missing.length > 0) {
    throw new UsageError(`${name} has no records of GPUs: it lacks the columns ${missing.join(", ")}`);
  }
  const reading = groups();
  for (;;) {
    const next = await readable(name, () => reading.next());
    if (next.done === true) return;
    yield next.value.map((row) => recordOf(row, name));
  }
}

async function readable<T>(name: string, read: () => Promise<T>): Promise<T> {
  return read().catch((cause: unknown) => {
    throw new UsageError(`${name} cannot be read as Parquet: ${messageOf(cause)}`, { cause });
  });
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
