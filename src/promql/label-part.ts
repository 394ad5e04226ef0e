/** The name and the text of a label. */
export type LabelEntry = readonly [name: string, text: string];

/** Sums of hashes are whole numbers that a double has exactly. */
const hashBits = 51n;
/** Bound of hashes, and of sums of them. */
export const hashMax = 2 ** Number(hashBits);

/** Some labels of a series, sorted by name. Many series have the same one: those of a device, or those of a metric. */
export class LabelPart {
  readonly texts: ReadonlyMap<string, string>;
  /** The names of all labels, also of those whose text is empty: they take away labels of another part. */
  readonly names: readonly string[];
  /** The sum of a hash of each label: labels that are divided into parts differently have the same sum. */
  readonly hash: number;
  private chosen: { readonly by: unknown; readonly part: LabelPart } | undefined;

  /** @param entries an empty text is no label; of a name that is given twice, the last text counts */
  constructor(entries: Iterable<LabelEntry>) {
    const given = new Map(entries);
    const sorted = [...given].filter(([, text]) => text !== "").sort(([a], [b]) => (a < b ? -1 : 1));
    this.names = [...given.keys()];
    this.texts = new Map(sorted);
    this.hash = sorted.reduce((sum, [name, text]) => (sum + hashOf(name, text)) % hashMax, 0);
  }

  /** The labels that a choice keeps. The part remembers what the last choice gave, for the next series that it is part of.
   *  @param choice the same object for all series of an operation */
  chosenBy(choice: LabelChoice): LabelPart {
    if (this.chosen?.by === choice) return this.chosen.part;
    const kept = [...this.texts].filter(([name]) => choice.names.has(name) === choice.isKept);
    const part = kept.length === this.texts.size ? this : new LabelPart(kept);
    this.chosen = { by: choice, part };
    return part;
  }
}

/** Names of labels: the labels to keep, or those to leave out. */
export interface LabelChoice {
  readonly names: ReadonlySet<string>;
  /** True: only labels with these names are kept; false: only the others. */
  readonly isKept: boolean;
}

function hashOf(name: string, text: string): number {
  return Number(BigInt.asUintN(Number(hashBits), BigInt(Bun.hash(JSON.stringify([name, text])))));
}
