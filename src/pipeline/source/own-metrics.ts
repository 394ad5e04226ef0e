import type { RecordBatch } from "../../domain/batch.ts";
import { metricSpellings, spellingOf } from "../../domain/dialects/spelling-of.ts";
import { parseSeries } from "../../domain/series.ts";
import { editsBetween } from "../../kit/similar-names.ts";

/** A metric that is not in the catalogue, and is stored under its own name. */
export interface OwnMetric {
  readonly name: string;
  /** The spelling of a metric of the catalogue that may have been meant; undefined: none is similar. */
  readonly meant: string | undefined;
}

/** The metrics, likely misspellings first: a reader may show only the first ones. */
export function misspellingsFirst(metrics: readonly OwnMetric[]): readonly OwnMetric[] {
  return metrics.toSorted((a, b) => Number(a.meant === undefined) - Number(b.meant === undefined));
}

/** So many names are collected. A source of more of them makes them up, such as one that has numbers in its names. */
export const ownMetricsMax = 1000;
/** So many series are remembered, so that their names are not taken apart again. */
const seriesMax = 10_000;

/** Collects the metrics outside the catalogue that batches have, each once. */
export class OwnMetrics {
  private readonly series = new Set<string>();
  private readonly byName = new Map<string, OwnMetric>();

  get all(): readonly OwnMetric[] {
    return [...this.byName.values()];
  }

  /** @returns those that earlier batches did not have */
  add({ custom }: Pick<RecordBatch, "custom">): readonly OwnMetric[] {
    const added: OwnMetric[] = [];
    let last = "";
    for (const { metric: series } of custom) {
      if (series === last || this.series.has(series)) continue;
      last = series;
      if (this.series.size < seriesMax) this.series.add(series);
      const name = parseSeries(series)?.metric ?? series;
      if (this.byName.size >= ownMetricsMax || this.byName.has(name) || spellingOf(name) !== undefined) continue;
      const found = { name, meant: meantMetric(name) };
      this.byName.set(name, found);
      added.push(found);
    }
    return added;
  }
}

/** What is the same in all names of an exporter: it would make short names similar. */
const kinds = /^(?:dcgm_(?:fi_(?:dev|prof)|exp)_|dcgm_|nvidia_smi_)?/;
/** A name with fewer letters is known with one wrong letter, a longer one with two. */
const longLetters = 10;
/** The tensor core's pipes are fields of their own, which differ by a letter. */
const otherFields = /^DCGM_FI_PROF_PIPE_TENSOR_[A-Z]MMA_ACTIVE$/;

/** The spelling of a metric of the catalogue of which a name is likely a misspelling: it has the same digits and as many words, and
 *  differs by a letter or two, or by two that are swapped; or only by upper and lower case, or by what separates the words. Most metrics outside the catalogue are
 *  no misspellings, but other fields of exporters, whose names differ by words (`NVLINK_TX_BANDWIDTH_TOTAL`) or digits (`PIPE_FP8_ACTIVE`). */
export function meantMetric(name: string): string | undefined {
  if (otherFields.test(name)) return undefined;
  const own = partsOf(name);
  return spelled.find(({ parts }) => isNear(own, parts))?.name;
}

interface NameParts {
  readonly kind: string;
  readonly words: number;
  readonly letters: string;
  readonly digits: string;
}

function isNear(own: NameParts, other: NameParts): boolean {
  if (own.kind !== other.kind || own.digits !== other.digits) return false;
  const edits = editsBetween(own.letters, other.letters);
  if (edits === 0) return true;
  const max = other.letters.length < longLetters && !isSwapped(own, other) ? 1 : 2;
  return own.words === other.words && edits <= max;
}

/** True if two names have the same letters in another order. */
function isSwapped(own: NameParts, other: NameParts): boolean {
  return [...own.letters].sort().join("") === [...other.letters].sort().join("");
}

function partsOf(name: string): NameParts {
  const lower = name.toLowerCase();
  const [kind = ""] = kinds.exec(lower) ?? [];
  const words = lower.slice(kind.length).match(/[a-z0-9]+/g) ?? [];
  return { kind, words: words.length, letters: words.join(""), digits: lower.replace(/\D/g, "") };
}

const spelled = metricSpellings.map((name) => ({ name, parts: partsOf(name) }));
