import { metricNames } from "../../src/domain/metrics.ts";

/** How a column's values are compared: numbers and times bit by bit, texts byte by byte, JSON by what it says. */
export type Kind = "number" | "time" | "text" | "json";

/** A column of records. */
export interface Column {
  readonly name: string;
  readonly kind: Kind;
}

const text = (name: string): Column => ({ name, kind: "text" });

/** All columns of a record in the archive, which has each of them; an export has those with values. */
export const columns: readonly Column[] = [
  { name: "timestamp", kind: "time" },
  ...["uuid", "gpu_id", "device", "model_name", "hostname", "cluster_id", "container", "pod", "namespace"].map(text),
  ...["parent_uuid", "mig_instance_id", "mig_profile"].map(text),
  text("driver_version"),
  { name: "properties", kind: "json" },
  { name: "custom", kind: "json" },
  { name: "occupants", kind: "json" },
  ...metricNames.map((name): Column => ({ name, kind: "number" })),
];

/** A SHA-256 of all values of each column, by its name, and how many records there are. */
export interface Digests {
  readonly records: number;
  readonly ofColumn: Readonly<Record<string, string>>;
}

/** Values by the names of their columns, in the order of uuid, then time. A column that is absent has only nulls. */
export type Values = Readonly<Record<string, readonly unknown[]>>;

/** The digests of values.
 *  @param asWritten true: JSON is compared by its bytes */
export function digestsOf(values: Values, of: readonly Column[], asWritten = false): Digests {
  const records = values["uuid"]?.length ?? 0;
  const nulls = new Array<unknown>(records).fill(null);
  const entries = of.map(({ name, kind }) => {
    return [name, digestOf(values[name] ?? nulls, asWritten && kind === "json" ? "text" : kind)] as const;
  });
  return { records, ofColumn: Object.fromEntries(entries) };
}

/** First a byte for each value, 1 for null; then the values. The same in pandas_digests.py. */
function digestOf(values: readonly unknown[], kind: Kind): string {
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(Uint8Array.from(values, (value) => (value === null || value === undefined ? 1 : 0)));
  if (kind === "number" || kind === "time") hash.update(Float64Array.from(values, (value) => Number(value ?? 0)));
  // no text of the store has NUL
  else hash.update(values.map((value) => textOf(value, kind)).join("\0"));
  return hash.digest("hex");
}

function textOf(value: unknown, kind: Kind): string {
  if (typeof value !== "string") return "";
  return kind === "json" ? JSON.stringify(sorted(JSON.parse(value))) : value;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, each]) => [name, sorted(each)]));
}

/** Says in which columns two digests differ. */
export function differencesOf(expected: Digests, found: Digests): string[] {
  if (expected.records !== found.records) return [`${found.records} records, not ${expected.records}`];
  return Object.entries(found.ofColumn).flatMap(([name, digest]) => {
    return digest === expected.ofColumn[name] ? [] : [name];
  });
}
