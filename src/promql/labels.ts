import { hashMax, type LabelChoice, type LabelEntry, LabelPart } from "./label-part.ts";

/** The label that has the name of the metric. */
export const nameLabel = "__name__";

const noPart = new LabelPart([]);

/** The labels of a series, the metric's name among them, sorted by name. An empty label is no label: it is left out. They are in two
 *  parts without a common name, each of which many series share: a series of its own costs little. */
export class Labels {
  private constructor(
    private readonly common: LabelPart,
    private readonly own: LabelPart,
  ) {}

  /** Labels of two parts. Those of `own` count where both have a name. */
  static of(common: LabelPart, own: LabelPart): Labels {
    const both = own.names.filter((name) => common.texts.has(name));
    return new Labels(both.length === 0 ? common : common.chosenBy(without(both)), own);
  }

  /** A number that equal labels have in common, however they are divided into parts. */
  get hash(): number {
    return (this.common.hash + this.own.hash) % hashMax;
  }

  get(name: string): string | undefined {
    return this.own.texts.get(name) ?? this.common.texts.get(name);
  }

  /** The names and texts, sorted by name. */
  entries(): LabelEntry[] {
    const { common, own } = this;
    if (own.texts.size === 0) return [...common.texts];
    if (common.texts.size === 0) return [...own.texts];
    return [...common.texts, ...own.texts].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  equals(other: Labels): boolean {
    if (this.common === other.common && this.own === other.own) return true;
    const [entries, others] = [this.entries(), other.entries()];
    return (
      entries.length === others.length &&
      entries.every(([name, text], index) => name === others[index]?.[0] && text === others[index][1])
    );
  }

  /** Those of the labels that a choice keeps. */
  chosenBy(choice: LabelChoice): Labels {
    const [common, own] = [this.common.chosenBy(choice), this.own.chosenBy(choice)];
    return common === this.common && own === this.own ? this : new Labels(common, own);
  }

  /** The labels and another one, whose name none of them has. */
  and(name: string, text: string): Labels {
    return text === "" ? this : new Labels(this.common, new LabelPart([...this.own.texts, [name, text]]));
  }
}

/** No labels. */
export const noLabels = Labels.of(noPart, noPart);

/** Makes labels of names and texts. */
export function labelsOf(entries: Iterable<LabelEntry>): Labels {
  return Labels.of(new LabelPart(entries), noPart);
}

/** Chooses the labels with these names. */
export function only(names: Iterable<string>): LabelChoice {
  return { names: new Set(names), isKept: true };
}

/** Chooses all labels but those with these names. */
export function without(names: Iterable<string>): LabelChoice {
  return { names: new Set(names), isKept: false };
}

const allButName = without([nameLabel]);

/** The labels without the metric's name. */
export function withoutName(labels: Labels): Labels {
  return labels.chosenBy(allButName);
}

/** A function that replaces a label; an empty text takes it away. */
export function replacing(name: string): (labels: Labels, text: string) => Labels {
  const others = without([name]);
  return (labels, text) => ((labels.get(name) ?? "") === text ? labels : labels.chosenBy(others).and(name, text));
}

/** The labels with one of them replaced; an empty text takes it away. */
export function withLabel(labels: Labels, name: string, text: string): Labels {
  return replacing(name)(labels, text);
}

/** The labels as Prometheus writes them: `name{label="text"}`. */
export function labelsText(labels: Labels): string {
  const texts = withoutName(labels)
    .entries()
    .map(([name, text]) => `${name}=${JSON.stringify(text)}`);
  const name = labels.get(nameLabel) ?? "";
  return name !== "" && texts.length === 0 ? name : `${name}{${texts.join(", ")}}`;
}

/** The series in the order of Prometheus: by the names and texts of their labels, one after another. */
export function sortedByLabels<Series extends { readonly labels: Labels }>(series: readonly Series[]): Series[] {
  const ordered = series.map((each) => ({ each, text: each.labels.entries().flat().join("\0") }));
  ordered.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  return ordered.map(({ each }) => each);
}
