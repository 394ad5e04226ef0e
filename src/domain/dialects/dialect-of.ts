import { dialects, type Dialect } from "./spelling.ts";
import { spellingOf } from "./spelling-of.ts";

const prefixes: readonly (readonly [RegExp, Dialect])[] = [
  [/^nvidia_smi_/, "nvidia_gpu_exporter"],
  [/^dcgm_/, "dcgm-1"],
  [/^DCGM_/, "dcgm"],
  [/^(?:amd_)?(?:gpu|pcie|xgmi)_/i, "amd"],
];

/** The dialect that a name belongs to, whether it spells a metric of the catalogue or another one.
 *  @returns undefined for a name that is not that of a GPU's metric */
export function dialectOfName(name: string): Dialect | undefined {
  return spellingOf(name)?.dialect ?? prefixes.find(([prefix]) => prefix.test(name))?.[1];
}

/** The dialect that most of the names are spelled in; of two with equally many names, the newer one of the list of dialects. Names
 *  that several releases share, such as those of DCGM's profiling fields of bytes, count for the older one.
 *  @param names names of series of one exporter, each once
 *  @returns undefined if none of them is that of a GPU's metric */
export function dialectOf(names: Iterable<string>): Dialect | undefined {
  const counts = new Map<Dialect, number>();
  for (const name of names) {
    const dialect = dialectOfName(name);
    if (dialect !== undefined) counts.set(dialect, (counts.get(dialect) ?? 0) + 1);
  }
  let most: Dialect | undefined;
  for (const dialect of dialects) {
    if ((counts.get(dialect) ?? 0) > 0 && (counts.get(dialect) ?? 0) >= (counts.get(most ?? dialect) ?? 0))
      most = dialect;
  }
  return most;
}
