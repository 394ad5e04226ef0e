import { metricSpellings, spellings } from "../../../domain/dialects/spelling-of.ts";
import { unitsFor } from "../../../domain/dialects/units.ts";
import { quoted } from "../../../domain/cut-text.ts";
import { metrics } from "../../../domain/metrics.ts";
import { similarNames } from "../../../kit/similar-names.ts";
import type { OwnMetric } from "../own-metrics.ts";
import { normalName } from "./column-names.ts";
import { partsOf } from "./header-names.ts";
import type { Layout } from "./layout.ts";

/** What has become metrics outside the catalogue, for a message: columns of a wide file, or names in the rows, each with the metric of the
 *  catalogue that may have been meant; those for which there is one come first.
 *  @param metrics those that the rows have had so far */
export function ownColumnsOf(layout: Layout, metrics: readonly OwnMetric[]): readonly string[] {
  const names = new Set(metrics.map(({ name }) => name));
  const columns =
    layout.form === "long" ? [] : layout.customColumns.filter(({ series }) => names.has(String(series.metric)));
  for (const { series } of columns) names.delete(String(series.metric));
  const inRows = metrics.filter(({ name }) => names.has(name));
  const named = [
    ...columns.map(({ name }) => ({ name, hint: hintFor(name) })),
    ...inRows.map(({ name, meant }) => ({ name, hint: meantHint(meant) })),
  ];
  return named
    .toSorted((a, b) => Number(a.hint === "") - Number(b.hint === ""))
    .map(({ name, hint }) => `${quoted(name)}${hint}`);
}

function hintFor(columnName: string): string {
  const { name, unit } = partsOf(columnName);
  const plain = (text: string): string => normalName(text).replaceAll(".", "");
  const spelling = spellings.find((each) => plain(each.name) === plain(name));
  const metric = metrics[spelling?.metricIndex ?? -1];
  if (spelling !== undefined && metric !== undefined && unit !== undefined) {
    return ` (${spelling.name} is read in ${unitsFor(metric.unit) || metric.unit}, not in ${unit})`;
  }
  const [near] = similarNames(name, metricSpellings);
  return meantHint(near);
}

function meantHint(near: string | undefined): string {
  if (near === undefined) return "";
  const { unit: unitOfNear = "" } = metrics[spellings.find((each) => each.name === near)?.metricIndex ?? -1] ?? {};
  return ` (did you mean ${near}${unitOfNear === "" ? "" : `, in ${unitOfNear}`}?)`;
}
