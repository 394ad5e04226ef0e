import { postgresEpochMs } from "./copy-rows.ts";
import { sentDoubles } from "./history-columns.ts";

// The server joins the doubles of a column to one text of bytes, which takes a third of the time that a row each takes. Of a metric that
// some records lack, only the values that are present are sent, and which records have one in the bits of an integer for each record.

/** The columns of a GPU's records, in the order of their instants. */
export interface RowColumns {
  readonly gpuKey: number;
  readonly timesMs: Float64Array;
  /** Metrics that have values; NaN: the record has none. */
  readonly metrics: ReadonlyMap<string, Float64Array>;
}

/** As many bits as an int4 has without its sign. */
const bitsMax = 31;

/** The columns of the rows that `sentRows` joins.
 *  @param row an alias of telemetry
 *  @param sparseNames those of the metrics that not every record has */
export function sentColumns(row: string, names: readonly string[], sparseNames: readonly string[]): string {
  const bitsOf = (some: readonly string[]): string =>
    some.map((name, bit) => `case when ${row}."${name}" is null then 0 else ${2 ** bit} end`).join(" + ");
  const presence = groupsOf(sparseNames).map((some, index) => `${bitsOf(some)} as ${presenceColumn(index)}`);
  return [`${row}.time`, ...presence, ...names.map((name) => `${row}."${name}"`)].join(", ");
}

/** The columns of a query over records in the order of their instants, each as `sentColumns` has it. */
export function sentRows(names: readonly string[], sparseNames: readonly string[]): string {
  const presence = groupsOf(sparseNames).map((_, index) => presenceColumn(index));
  return [
    "string_agg(timestamptz_send(time), '') as times",
    ...presence.map((name) => `string_agg(int4send(${name}), '') as ${name}`),
    ...names.map((name) => `string_agg(float8send("${name}"), '') as "${name}"`),
  ].join(", ");
}

/** Reads what `sentRows` gave.
 *  @returns undefined if some records lack a metric that is not among the sparse ones */
export function readSentRows(
  row: { readonly gpuKey: number } & Readonly<Record<string, unknown>>,
  names: readonly string[],
  sparseNames: readonly string[],
): RowColumns | undefined {
  const sent = row as Readonly<Record<string, Uint8Array | null>>;
  const timesMs = sentInstants(sent["times"] as Uint8Array);
  const placeOf = new Map(sparseNames.map((name, place) => [name, place]));
  const presence = groupsOf(sparseNames).map((_, index) => sentIntegers(sent[presenceColumn(index)] as Uint8Array));
  const metrics = new Map<string, Float64Array>();
  for (const name of names) {
    const bytes = sent[name];
    if (bytes === null || bytes === undefined) continue;
    const values = sentDoubles(bytes);
    const place = placeOf.get(name);
    const bits = place === undefined ? undefined : presence[Math.floor(place / bitsMax)];
    if (values.length === timesMs.length) metrics.set(name, values);
    else if (place !== undefined && bits !== undefined) metrics.set(name, spread(values, bits, 2 ** (place % bitsMax)));
    else return undefined;
  }
  return { gpuKey: row.gpuKey, timesMs, metrics };
}

const presenceColumn = (index: number): string => `presence_${index}`;

function groupsOf(names: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(names.length / bitsMax) }, (_, index) =>
    names.slice(index * bitsMax, (index + 1) * bitsMax),
  );
}

/** A value for each record, of those that are present. */
function spread(values: Float64Array, presence: Int32Array, bit: number): Float64Array {
  const all = new Float64Array(presence.length);
  let next = 0;
  for (let index = 0; index < presence.length; index += 1) {
    all[index] = ((presence[index] as number) & bit) === 0 ? NaN : (values[next++] as number);
  }
  return all;
}

/** Instants in the binary form that the server sends: microseconds since 2000, int64. */
export function sentInstants(bytes: Uint8Array): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const timesMs = new Float64Array(bytes.length / 8);
  for (let index = 0; index < timesMs.length; index += 1) {
    const micros = view.getInt32(index * 8) * 2 ** 32 + view.getUint32(index * 8 + 4);
    timesMs[index] = micros / 1000 + postgresEpochMs;
  }
  return timesMs;
}

function sentIntegers(bytes: Uint8Array): Int32Array {
  const copy = new Uint8Array(bytes);
  Buffer.from(copy.buffer).swap32();
  return new Int32Array(copy.buffer);
}
