import { metrics } from "./metrics.ts";
import { seriesName } from "./series.ts";

/** The name of the series to which a value belongs.
 *  @param metric the metric's index in the catalogue, or its name if it is not in the catalogue
 *  @param labels the series labels that apply to the metric
 *  @returns undefined if the value belongs to the metric itself, without labels */
export function seriesNameOf(metric: number | string, labels: Readonly<Record<string, string>>): string | undefined {
  if (!hasLabels(labels)) return undefined;
  const declared = typeof metric === "number" ? metrics[metric] : undefined;
  // a virtual GPU has no power draw of its own: the board's value is repeated
  const names = Object.keys(labels).filter((label) => declared?.scope !== "board" || label !== "vgpu");
  if (names.length === 0) return undefined;
  const applied = Object.fromEntries(names.map((name) => [name, labels[name] ?? ""]));
  return seriesName(declared?.name ?? String(metric), applied);
}

/** True if there is any label. Most rows have none, so this makes no list of the names. */
export function hasLabels(labels: Readonly<Record<string, string>>): boolean {
  for (const name in labels) if (name !== "") return true;
  return false;
}
