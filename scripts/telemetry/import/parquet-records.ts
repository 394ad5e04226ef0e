import { messageOf } from "../../../src/kit/message-of.ts";
import type { ReadableFile } from "../../../src/pipeline/upkeep/archive/archive-files.ts";
import { openParquetRows } from "../../../src/pipeline/upkeep/archive/parquet-file-rows.ts";
import { UsageError } from "../usage-error.ts";
import { refuseOtherFormats } from "./refuse-other-formats.ts";

/** A record as a push takes it. */
export type PushableRecord = Readonly<Record<string, unknown>>;

/** What a file of records has at least. */
const required = ["timestamp", "uuid", "gpu_id", "hostname"];
/** Objects and lists, as JSON. */
const jsonColumns: ReadonlySet<string> = new Set(["custom", "occupants", "properties", "rollup"]);

/** Reads the records of a Parquet file that `telemetry export` or the archive has written, some hundred at a time.
 *  @param name what the file is called in messages
 *  @throws UsageError if it is no such file */
export async function* parquetRecords(
  file: ReadableFile,
  name: string,
): AsyncGenerator<readonly PushableRecord[], void> {
  await refuseOtherFormats(file, name);
  const { columns, parts } = await readable(name, () => openParquetRows(file));
  const missing = required.filter((column) => !columns.includes(column));
  if (missing.length > 0) {
    throw new UsageError(`${name} has no records of GPUs: it lacks the columns ${missing.join(", ")}`);
  }
  const reading = parts();
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

/** A row as a push takes it, without integers of 64 bits.
 *  @param name what its file is called in messages
 *  @throws UsageError if it is an average, or not what it should be */
export function recordOf(row: Readonly<Record<string, unknown>>, name: string): PushableRecord {
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
  return record;
}

/** The value as JSON can have it: lists and structures may have integers of 64 bits, too. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}

function jsonOf(value: unknown, column: string, name: string): unknown {
  if (typeof value !== "string") return plain(value);
  try {
    return JSON.parse(value);
  } catch (cause) {
    throw new UsageError(`${name}: a value of its column ${column} is no JSON: ${value.slice(0, 100)}`, { cause });
  }
}
