import { sourceIdOf, type Target } from "./target.ts";

/** The targets of several lists. */
export interface JoinedTargets {
  /** Each target once, by its source's id: as the first entry says. */
  readonly targets: ReadonlyMap<string, Target>;
  /** Entries that contradict each other, each in words. */
  readonly conflicts: readonly string[];
}

/** A message names this many labels. */
const shownLabels = 5;

/** Joins lists of targets.
 *  @param lists the first ones decide */
export function joinTargets(lists: Iterable<readonly Target[]>): JoinedTargets {
  const targets = new Map<string, Target>();
  const byUrl = new Map<string, Target>();
  const conflicts = new Set<string>();
  for (const target of [...lists].flat()) {
    const id = sourceIdOf(target);
    const listed = targets.get(id);
    if (listed !== undefined) {
      const labels = differingLabels(listed, target);
      if (labels.length > 0) conflicts.add(labelsConflict(listed, labels));
      continue;
    }
    targets.set(id, target);
    const sameUrl = byUrl.get(target.url);
    if (sameUrl === undefined) byUrl.set(target.url, target);
    else conflicts.add(clustersConflict(sameUrl, target));
  }
  return { targets, conflicts: [...conflicts] };
}

function differingLabels({ labels: first }: Target, { labels: other }: Target): readonly string[] {
  const names = new Set([...Object.keys(first), ...Object.keys(other)]);
  return [...names].filter((name) => first[name] !== other[name]);
}

function labelsConflict({ name, clusterId }: Target, labels: readonly string[]): string {
  const more = labels.length > shownLabels ? " ..." : "";
  const shown = labels.slice(0, shownLabels).join(", ") + more;
  return `${name} in the cluster ${clusterId} is listed again with other labels (${shown}): the first entry counts`;
}

function clustersConflict(first: Target, other: Target): string {
  const clusters = `${first.clusterId} and ${other.clusterId}`;
  return `${first.name} is listed in the clusters ${clusters}: it is scraped for both, and its GPUs go back and forth between them`;
}
