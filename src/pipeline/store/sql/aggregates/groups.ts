import type { GroupSpan } from "../../../../db/sql/select-spans.ts";
import type { Grouping } from "../../../../domain/query.ts";
import type { TimeRange } from "../../../../domain/time-range.ts";
import { type Holder, holdersOf } from "../../../../domain/rollup/rollup.ts";
import type { OwnRecords } from "./own-records.ts";

/** The groups of several GPUs in the span in which none of them changes. */
export interface GroupsOfKeys extends TimeRange {
  readonly groups: Int32Array;
  /** True if all of the GPUs are selected. */
  readonly areAllSelected: boolean;
  /** The greatest number of a group; -1 if none is selected. */
  readonly greatest: number;
}

/** The groups of records with several holders. */
export interface GroupsOfHolders {
  /** See `Groups.ofHolder`. */
  readonly groups: readonly (readonly number[] | boolean)[];
  /** The group of those that have exactly one by its number, as most have; -1: see `groups`. */
  readonly only: Int32Array;
}

/** When a GPU has a group. */
export interface SpanOfGroup extends TimeRange {
  readonly group: number;
}

/** About as many as a fleet of 10,000 GPUs has rows of rollups in two days, some MB. */
const holdersKnown = 1000;

const nowhere: SpanOfGroup = { fromMs: -Infinity, toMs: Infinity, group: -1 };

/** The groups that records are summarized by. Each has a number, from 0. */
export class Groups {
  /** The values that identify each group. */
  readonly names: (readonly string[])[] = [];
  /** Ascending. */
  readonly gpuKeys: readonly number[];
  private readonly numbers = new Map<string, number>();
  private readonly spansOf = new Map<number, SpanOfGroup[]>();
  private readonly known = new WeakMap<Float64Array, GroupsOfKeys>();
  private readonly knownHolders = new Map<string, GroupsOfHolders>();

  constructor(
    spans: readonly GroupSpan[],
    private readonly groupBy: Grouping,
    private readonly own: OwnRecords,
  ) {
    for (const { gpuKey, fromMs, toMs, group } of spans) {
      if (!own.hasGpu(gpuKey)) continue;
      const span = { fromMs, toMs, group: groupBy === "namespace" ? 0 : this.numberOf(group) };
      const ofGpu = this.spansOf.get(gpuKey);
      if (ofGpu === undefined) this.spansOf.set(gpuKey, [span]);
      else ofGpu.push(span);
    }
    this.gpuKeys = [...this.spansOf.keys()].sort((a, b) => a - b);
  }

  /** True if a record's groups also depend on the workloads that held its GPU. */
  get needsHolders(): boolean {
    return this.groupBy === "namespace" || this.own.restrictsNamespaces;
  }

  /** The same for several GPUs; quick for an array that was given before. */
  ofKeys(gpuKeys: Float64Array, instantMs: number): GroupsOfKeys {
    const known = this.known.get(gpuKeys);
    if (known !== undefined && known.fromMs <= instantMs && instantMs < known.toMs) return known;
    let [fromMs, toMs] = [-Infinity, Infinity];
    const groups = Int32Array.from(gpuKeys, (gpuKey) => {
      const span = this.spanAt(gpuKey, instantMs);
      fromMs = Math.max(fromMs, span.fromMs);
      toMs = Math.min(toMs, span.toMs);
      return span.group;
    });
    const found = {
      groups,
      fromMs,
      toMs,
      areAllSelected: groups.every((group) => group >= 0),
      greatest: Math.max(-1, ...groups),
    };
    this.known.set(gpuKeys, found);
    return found;
  }

  /** The groups of records with this holder: numbers, or `true` for the group of the GPU. */
  ofHolder(holder: Holder): readonly number[] | boolean {
    const names = this.own.namesOf(holder);
    return this.groupBy === "namespace" ? names.map((name) => this.numberOf([name])) : names.length > 0;
  }

  /** The same for several holders, as JSON; quick for a text that was given lately. */
  ofHolders(text: string): GroupsOfHolders {
    let found = this.knownHolders.get(text);
    if (found === undefined) {
      const groups = holdersOf(text).map((holder) => this.ofHolder(holder));
      found = {
        groups,
        only: Int32Array.from(groups, (of) => (typeof of === "object" && of.length === 1 ? (of[0] ?? -1) : -1)),
      };
      if (this.knownHolders.size === holdersKnown) this.knownHolders.clear();
      this.knownHolders.set(text, found);
    }
    return found;
  }

  /** The numbers of the groups in the order of their names: by bytes, and so as in every database. */
  inOrder(): number[] {
    const bytes = this.names.map((names) => names.map((name) => Buffer.from(name)));
    const compare = (a: number, b: number): number =>
      bytes[a]?.reduce((order, name, index) => order || name.compare(bytes[b]?.[index] ?? name), 0) ?? 0;
    return [...this.names.keys()].sort(compare);
  }

  /** The group of a GPU in the bucket that begins at an instant, and when it has this group; -1: the GPU is not selected. */
  spanAt(gpuKey: number, instantMs: number): SpanOfGroup {
    const spans = this.spansOf.get(gpuKey);
    if (spans === undefined) return nowhere;
    for (let index = spans.length - 1; index >= 0; index -= 1) {
      const span = spans[index] as SpanOfGroup;
      if (span.fromMs > instantMs) continue;
      if (instantMs < span.toMs) return span;
      return { fromMs: span.toMs, toMs: spans[index + 1]?.fromMs ?? Infinity, group: -1 };
    }
    return { fromMs: -Infinity, toMs: spans[0]?.fromMs ?? Infinity, group: -1 };
  }

  private numberOf(names: readonly string[]): number {
    const key = names.join("\0");
    let number = this.numbers.get(key);
    if (number === undefined) {
      this.numbers.set(key, (number = this.names.length));
      this.names.push(names);
    }
    return number;
  }
}
