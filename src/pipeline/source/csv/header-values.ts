import { quoted } from "../../../domain/cut-text.ts";
import { UnusableSource } from "../../../domain/errors.ts";
import { normalName } from "./column-names.ts";

/** Names of which a header has several, in the normal form. */
const usualNames: ReadonlySet<string> = new Set([
  ...["timestamp", "time", "uuid", "gpuuuid", "gpuid", "index", "gpu", "hostname", "metricname"],
]);
const namesMin = 2;
/** What a row has and no name of a column: a UUID, a time, seconds since 1970 or their parts, and a number with a unit. */
const rowValues: readonly RegExp[] = [
  /(?:GPU|MIG)-[0-9a-f]{8}-[0-9a-f]{4}-/i,
  /^(?:GPU|MIG)-(?=[0-9a-f-]*\d)[0-9a-f-]+$/i,
  /\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d/,
  /(?<!\d)1\d{9}(?:\d{3}){0,3}(?!\d)/,
  /^[+-]?\d+(?:\.\d+)?(?: ?%| (?:MiB|GiB|W|mW|C|MHz)(?![a-z]))/,
];

/** @throws UnusableSource if a table has its header and its rows in one line */
export function refuseValuesInHeader(names: readonly string[], path: string): void {
  const plain = names.map((name) => name.trim());
  if (plain.filter((name) => usualNames.has(normalName(name))).length < namesMin) return;
  const value = plain.find((name) => rowValues.some((form) => form.test(name)));
  if (value === undefined) return;
  throw new UnusableSource(
    `${path} has values of a row in its header line, such as ${quoted(value)}: its line ends are missing. ` +
      "Send it with its line ends; curl keeps them with --data-binary, not with -d.",
  );
}
