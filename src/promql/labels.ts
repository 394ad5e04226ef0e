/** The labels of a series, the metric's name among them, sorted by name. An empty label is no label: it is left out. */
export type Labels = ReadonlyMap<string, string>;

/** The label that has the name of the metric. */
export const nameLabel = "__name__";

/** No labels. */
export const noLabels: Labels = new Map();

/** Makes labels of names and texts. */
export function labelsOf(entries: Iterable<readonly [string, string]>): Labels {
  const given = [...entries].filter(([, text]) => text !== "");
  return new Map(given.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** The labels without some of them. */
export function labelsWithout(labels: Labels, names: ReadonlySet<string>): Labels {
  return new Map([...labels].filter(([name]) => !names.has(name)));
}

/** Only the labels with these names. */
export function labelsWith(labels: Labels, names: ReadonlySet<string>): Labels {
  return new Map([...labels].filter(([name]) => names.has(name)));
}

const onlyName: ReadonlySet<string> = new Set([nameLabel]);

/** The labels without the metric's name. */
export function withoutName(labels: Labels): Labels {
  return labels.has(nameLabel) ? labelsWithout(labels, onlyName) : labels;
}

/** The labels with one of them replaced; an empty text takes it away. */
export function withLabel(labels: Labels, name: string, text: string): Labels {
  return labelsOf([...labelsWithout(labels, new Set([name])), [name, text]]);
}

/** A text that only equal labels have in common. */
export function labelsKey(labels: Labels): string {
  return JSON.stringify([...labels]);
}

/** The labels as Prometheus writes them: `name{label="text"}`. */
export function labelsText(labels: Labels): string {
  const texts = [...withoutName(labels)].map(([name, text]) => `${name}=${JSON.stringify(text)}`);
  const name = labels.get(nameLabel) ?? "";
  return name !== "" && texts.length === 0 ? name : `${name}{${texts.join(", ")}}`;
}

/** Orders series as Prometheus does: by the names and texts of their labels, one after another. */
export function byLabels(a: Labels, b: Labels): number {
  const [ofA, ofB] = [[...a].flat(), [...b].flat()];
  for (let index = 0; index < Math.min(ofA.length, ofB.length); index += 1) {
    const [left = "", right = ""] = [ofA[index], ofB[index]];
    if (left !== right) return left < right ? -1 : 1;
  }
  return ofA.length - ofB.length;
}
