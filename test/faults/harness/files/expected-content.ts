import { idOfAllRounds } from "../../../../src/domain/round-source.ts";
import type { LoopedFile } from "./looped-file.ts";
import type { FileRow, Version } from "./versions.ts";

/** A range of a source that the database has stored. */
export interface StoredRange {
  readonly source: string;
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

/** What must be in the database, as it follows from the stored ranges and from what the files contained. */
export interface ExpectedContent {
  /** `uuid time_ms` -> metric -> its greatest value. */
  readonly records: ReadonlyMap<string, Readonly<Record<string, number>>>;
  /** `uuid time_ms metric value` of each value that is not the greatest. */
  readonly contradicting: ReadonlySet<string>;
  /** `source byte` of each row in quarantine. */
  readonly quarantined: ReadonlySet<string>;
  /** Violations of I1 and I2 by the ranges themselves. */
  readonly wrong: readonly string[];
}

/** A source of the run. */
interface Source {
  readonly version: Version;
  /** Added to the time of each row. */
  readonly shiftMs: number;
  /** The id under which its rows are in quarantine. */
  readonly rejectedUnder: string;
}

/** Adds up what must be stored.
 *  @param quarantined `source byte` of each row that is in quarantine: it decides on rows of which both is right */
export class ExpectedRows {
  private readonly values = new Map<string, Map<string, Set<number>>>();
  private readonly rejected = new Set<string>();
  private readonly wrong: string[] = [];
  private readonly versions: ReadonlyMap<string, Version>;

  constructor(
    private readonly files: { readonly versions: readonly Version[]; readonly looped: LoopedFile },
    private readonly quarantined: ReadonlySet<string>,
  ) {
    const versions = new Map<string, Version>();
    for (const version of files.versions) {
      const before = versions.get(version.sourceId);
      // a former content came back: a streamer may have read its last row at either time
      const isEither = before !== undefined && before.lastRow !== version.lastRow;
      versions.set(version.sourceId, isEither ? { ...version, lastRow: "either" } : version);
    }
    this.versions = versions;
  }

  /** @param ranges in the order of `from` */
  addSource(sourceId: string, ranges: readonly StoredRange[]): void {
    const source = this.sourceOf(sourceId);
    if (source === undefined) return void this.wrong.push(`I1: the source ${sourceId} is stored, but no file was that`);
    let at = 0;
    for (const { from, to, rows } of ranges) {
      if (from < at)
        this.wrong.push(`I2: ${sourceId}: the range ${from}-${to} begins inside another that ends at ${at}`);
      at = Math.max(at, to);
      const { offsets } = source.version;
      const indexes = offsets.flatMap((offset, index) => (offset >= from && offset < to ? index : []));
      if (indexes.length !== rows)
        this.wrong.push(`I1: ${sourceId}: the range ${from}-${to} counts ${rows} rows, the file has ${indexes.length}`);
      for (const index of indexes) this.addRow(source, index);
    }
  }

  get content(): ExpectedContent {
    const records = new Map<string, Record<string, number>>();
    const contradicting = new Set<string>();
    for (const [key, metrics] of this.values) {
      const record: Record<string, number> = {};
      for (const [metric, values] of metrics) {
        const greatest = Math.max(...values);
        record[metric] = greatest;
        for (const value of values) if (value !== greatest) contradicting.add(`${key} ${metric} ${value}`);
      }
      records.set(key, record);
    }
    return { records, contradicting, quarantined: this.rejected, wrong: this.wrong };
  }

  private sourceOf(sourceId: string): Source | undefined {
    const version = this.versions.get(sourceId);
    if (version !== undefined) return { version, shiftMs: 0, rejectedUnder: sourceId };
    const { looped } = this.files;
    const round = roundOf(sourceId, looped);
    if (round === undefined) return undefined;
    const shiftMs = round.startedAtMs === undefined ? 0 : round.startedAtMs - looped.firstMs;
    return { version: looped.version, shiftMs, rejectedUnder: idOfAllRounds(sourceId) };
  }

  private addRow({ version, shiftMs, rejectedUnder }: Source, index: number): void {
    const { key, metric, value } = version.rows[index] as FileRow;
    const place = `${rejectedUnder} ${version.offsets[index]}`;
    const isCut = version.cutBytes > 0 && index === version.rows.length - 1;
    const isHalf =
      isCut && (version.lastRow === "half" || (version.lastRow === "either" && this.quarantined.has(place)));
    if (value === undefined || isHalf) return void this.rejected.add(place);
    const [uuid, timeMs] = key.split(" ");
    const shifted = `${uuid} ${Number(timeMs) + shiftMs}`;
    const metrics = this.values.get(shifted) ?? new Map<string, Set<number>>();
    metrics.set(metric, (metrics.get(metric) ?? new Set()).add(value));
    this.values.set(shifted, metrics);
  }
}

/** The round of a looped file that a source is; undefined if it is another source. `startedAtMs` is undefined if the round has the file's own
 *  times. */
export function roundOf(
  sourceId: string,
  { version }: Pick<LoopedFile, "version">,
): { readonly round: number; readonly startedAtMs?: number } | undefined {
  if (!sourceId.startsWith(version.sourceId)) return undefined;
  const rest = sourceId.slice(version.sourceId.length);
  if (rest === "") return { round: 0 };
  const [, startedAt, shifted, own] = /^(?::now:(\d+):(\d+)|:round:(\d+))$/.exec(rest) ?? [];
  if (startedAt !== undefined) return { round: Number(shifted), startedAtMs: Number(startedAt) };
  return own === undefined ? undefined : { round: Number(own) };
}
