import { quoted } from "../../../domain/cut-text.ts";
import type { Spelling } from "../../../domain/dialects/spelling.ts";
import { scaleOfUnit } from "../../../domain/dialects/units.ts";
import { metrics } from "../../../domain/metrics.ts";

/** Our names of columns that Grafana and InfluxDB call otherwise, with how they write them. */
const otherNames: readonly (readonly [written: RegExp, ours: string])[] = [
  [/^_?time$/i, "timestamp"],
  [/^gpu$/i, "gpu_id"],
  [/^__name__$|^_field$/, "metric_name"],
  [/^_value$|^Value(?: #\w+)?$/, "value"],
];
/** What Grafana calls the values of a query, if there are several queries. */
const valuesOfQuery = /^Value #\w+$/;
/** `Power Draw [W]`, `power_draw (W)` */
const nameAndUnit = /^(.*\S)\s*(?:\[([^\]]+)\]|\(([^)]+)\))$/;
/** What pandas calls the column of its row numbers: when it reads a file that it has written, in Parquet, and after `reset_index`. */
const rowNumbers = /^(?:Unnamed: \d+|__index_level_\d+__|level_\d+)$/;

/** Gives columns our names, if the header does not have these names already.
 *  @param normalName makes all spellings of a name equal */
export function withOurNames(header: readonly string[], normalName: (name: string) => string): readonly string[] {
  const taken = new Set(header.map(normalName));
  const ours = (name: string): string | undefined => otherNames.find(([written]) => written.test(name))?.[1];
  return header.map((name) => {
    const found = ours(name);
    return found === undefined || taken.has(normalName(found)) ? name : found;
  });
}

/** True for a column without a meaning, which is not read. */
export function isRowNumber(columnName: string): boolean {
  return rowNumbers.test(columnName);
}

/** Says that two columns of a header have the same meaning, and what to do. */
export function sameMeaning(header: readonly string[], first: number, second: number): string {
  const named = (column: number): string => `${quoted(header[column] ?? "")} (column ${column + 1})`;
  const [one, other] = [named(first), named(second)];
  if ([first, second].every((column) => valuesOfQuery.test(header[column] ?? ""))) {
    return `has a column for each of several queries: ${one} and ${other}. Name each after its metric, such as temperature.`;
  }
  return `has two columns with the same meaning: ${one} and ${other}. Keep one of them.`;
}

/** Finds the spelling of a metric in a column's name that ends with a unit.
 *  @returns undefined if it has no unit, or one that the metric cannot be written in */
export function spellingWithUnit(
  columnName: string,
  spellingOf: (name: string) => Spelling | undefined,
): Spelling | undefined {
  const { name, unit } = partsOf(columnName);
  const spelling = spellingOf(name);
  if (spelling === undefined || unit === undefined || spelling.dialect === "nvidia-smi") return undefined;
  const scale = scaleOfUnit(metrics[spelling.metricIndex]?.unit ?? "", unit);
  return scale === undefined ? undefined : { ...spelling, scale, isAmbiguous: false };
}

/** A column's name without its unit, and the unit, if it has one in brackets. */
export function partsOf(columnName: string): { readonly name: string; readonly unit: string | undefined } {
  const [, name = columnName, bracketed, parenthesized] = nameAndUnit.exec(columnName) ?? [];
  return { name, unit: (bracketed ?? parenthesized)?.trim() };
}
