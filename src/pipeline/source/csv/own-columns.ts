import { metricSpellings, spellings } from "../../../domain/dialects/spelling-of.ts";
import { unitsFor } from "../../../domain/dialects/units.ts";
import { quoted } from "../../../domain/cut-text.ts";
import { metrics } from "../../../domain/metrics.ts";
import { similarNames } from "../../../kit/similar-names.ts";
import { partsOf } from "./header-names.ts";
import { type Layout, normalName } from "./layout.ts";

/** The columns of a wide file that become metrics outside the catalogue, for a message: each with the metric of the catalogue that may
 *  have been meant.
 *  @param unread columns whose cells are no numbers */
export function ownColumnsOf(layout: Layout, unread: ReadonlySet<string>): readonly string[] {
  if (layout.form === "long") return [];
  const read = layout.customColumns.filter(({ name }) => !unread.has(name));
  return read.map(({ name }) => `${quoted(name)}${hintFor(name)}`);
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
  if (near === undefined) return "";
  const { unit: unitOfNear = "" } = metrics[spellings.find((each) => each.name === near)?.metricIndex ?? -1] ?? {};
  return ` (did you mean ${near}${unitOfNear === "" ? "" : `, in ${unitOfNear}`}?)`;
}
