import { metrics } from "../metrics.ts";
import { ambiguousRatio, dcgm1Spellings, dcgm47Spellings } from "./dcgm-spellings.ts";
import { amdSpellings, nvidiaGpuExporterSpellings, nvidiaSmiSpellings } from "./other-spellings.ts";
import { same } from "./scale.ts";
import type { Dialect, Spelling, SpellingRow } from "./spelling.ts";

const tables: readonly (readonly [Dialect, readonly SpellingRow[]])[] = [
  ["dcgm-4.9", dcgm47Spellings],
  ["dcgm-1", dcgm1Spellings],
  ["nvidia_gpu_exporter", nvidiaGpuExporterSpellings],
  ["amd", amdSpellings],
  ["nvidia-smi", nvidiaSmiSpellings],
];

const indexByName: ReadonlyMap<string, number> = new Map(metrics.map(({ name }, index) => [name, index]));

const own = metrics.flatMap(({ name, dcgmField, width }, metricIndex): Omit<Spelling, "rank">[] => [
  { name, metricIndex, dialect: undefined, scale: same, width, isAmbiguous: false },
  { name: dcgmField, metricIndex, dialect: "dcgm", scale: same, width, isAmbiguous: false },
]);

const others = tables.flatMap(([dialect, rows]) =>
  rows.map(([name, metric, scale, width]): Omit<Spelling, "rank"> => {
    const metricIndex = indexByName.get(metric);
    const declared = metrics[metricIndex ?? -1];
    if (metricIndex === undefined || declared === undefined) throw new Error(`${name} spells no metric: ${metric}`);
    const isAmbiguous = name === ambiguousRatio;
    return { name, metricIndex, dialect, scale, width: width ?? declared.width, isAmbiguous };
  }),
);

/** Every spelling of the catalogue's metrics: our names, DCGM's, and those of other exporters and tools. */
export const spellings: readonly Spelling[] = [...own, ...others].map((spelling, rank) => ({ ...spelling, rank }));

/** The names by which a client can ask for metrics: ours first. */
export const metricSpellings: readonly string[] = [
  ...new Set([...metrics.map(({ name }) => name), ...spellings.map(({ name }) => name)]),
];

const byName: ReadonlyMap<string, Spelling> = new Map(spellings.map((spelling) => [spelling.name, spelling]));

/** @param name as an input or a client writes it; for AMD's clocks, with the label `clock_type`
 *  @returns undefined if it is no spelling of a metric of the catalogue */
export function spellingOf(name: string): Spelling | undefined {
  return byName.get(name);
}

/** Our name of a metric.
 *  @returns the given name if the catalogue does not have it */
export function metricNameOf(name: string): string {
  const spelling = byName.get(name);
  return spelling === undefined ? name : (metrics[spelling.metricIndex]?.name ?? name);
}
