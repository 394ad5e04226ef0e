import type { Labels } from "./labels.ts";
import type { Work } from "./work.ts";

interface Entry<Value> {
  readonly labels: Labels;
  value: Value;
  /** Another entry whose labels have the same hash. */
  readonly next: Entry<Value> | undefined;
}

/** Values by labels. Labels that are equal are the same key. */
export class LabelsMap<Value> {
  private readonly byHash = new Map<number, Entry<Value>>();

  get(labels: Labels): Value | undefined {
    return this.entryOf(labels)?.value;
  }

  has(labels: Labels): boolean {
    return this.entryOf(labels) !== undefined;
  }

  set(labels: Labels, value: Value): void {
    const known = this.entryOf(labels);
    const { hash } = labels;
    if (known === undefined) this.byHash.set(hash, { labels, value, next: this.byHash.get(hash) });
    else known.value = value;
  }

  *values(): Generator<Value, void> {
    for (const first of this.byHash.values()) {
      for (let entry: Entry<Value> | undefined = first; entry !== undefined; entry = entry.next) yield entry.value;
    }
  }

  private entryOf(labels: Labels): Entry<Value> | undefined {
    let entry = this.byHash.get(labels.hash);
    while (entry !== undefined && !entry.labels.equals(labels)) entry = entry.next;
    return entry;
  }
}

/** Groups series by what a function makes of their labels. */
export async function groupedBy<Series extends { readonly labels: Labels }>(
  series: Iterable<Series>,
  keyOf: (labels: Labels) => Labels,
  work: Work,
): Promise<LabelsMap<Series[]>> {
  const groups = new LabelsMap<Series[]>();
  for (const each of series) {
    await work.didSeries();
    const labels = keyOf(each.labels);
    const group = groups.get(labels);
    if (group === undefined) groups.set(labels, [each]);
    else group.push(each);
  }
  return groups;
}
