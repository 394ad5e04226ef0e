import { RecordCursor } from "../../../domain/building/record-cursor.ts";
import { noWorkload } from "../../../domain/gpu.ts";
import type { Spelling } from "../../../domain/dialects/spelling.ts";
import { metrics as catalogue } from "../../../domain/metrics.ts";
import { ByteArena, ByteString, type Piece, viewOf } from "../bytes/byte-arena.ts";
import { hashOf } from "../bytes/byte-hash.ts";
import { type ExporterRow, exporterRowOf, nameInLabels } from "./exporter-row.ts";
import type { RecognizedRow } from "./row-reader.ts";

/** A metric name as the file writes it. */
export interface MetricTemplate {
  readonly name: ByteString;
  /** The metric's index in the catalogue, or its name if it is not in the catalogue. */
  readonly metric: number | string;
  readonly spelling: Spelling | undefined;
  /** True if the metric's scope is `board`. */
  readonly isOfBoard: boolean;
}

/** The labels of a GPU, with their closing quote: `before`, then the row's metric name, then `after`. If `nameInLabels`
 *  finds no name, `before` contains all of the labels, and `after` is undefined. */
export interface LabelsTemplate {
  readonly before: Piece;
  readonly after: Piece | undefined;
  /** The record of the rows' device. */
  readonly device: RecordCursor;
  /** The record of the rows' board metrics: that of `device`, or, in rows of a MIG instance, that of the whole GPU, which does
   *  not get the instance's workload. */
  readonly board: RecordCursor;
}

/** The cells from gpu_id to namespace: the `identity` of an ExporterRow. */
export interface IdentityTemplate {
  readonly cells: Piece;
  /** The labels that matched last come first. */
  readonly labels: LabelsTemplate[];
  /** How many more labels may be learnt: a file with different labels in every row is not worth the effort. */
  labelsToLearn: number;
  /** The identity that followed this one the last time: files repeat the order of their GPUs. */
  next: IdentityTemplate | undefined;
}

/** Enough for about 60,000 GPUs, which take 60 MB with their objects. A full arena is cleared, and all GPUs are learnt again. */
const arenaMaxBytes = 32 * 1024 * 1024;
const maxMetrics = 1024;
const maxLabelsOfIdentity = 8;
const labelsToLearnMax = 64;
/** Limit of the hashes in `seen`: about twice the number of GPUs that fit in the arena. */
const maxSeen = 128 * 1024;

/** The bytes of rows that the slow lane has read; the fast lane compares other rows with them. The templates are in plain maps
 *  instead of an LRU cache, because their bytes are in one arena, which is cleared as a whole when it is full. */
export class FastTemplates {
  private readonly arena = new ByteArena(arenaMaxBytes);
  private readonly metrics = new Map<number, MetricTemplate>();
  private readonly identities = new Map<number, IdentityTemplate>();
  /** Hashes of the identities that were seen: an identity is learnt when it occurs a second time. */
  private readonly seen = new Set<number>();
  private clearings = 0;

  /** Changes whenever all identities and their labels are deleted. */
  get generation(): number {
    return this.clearings;
  }

  /** @returns the template with this hash; compare its bytes, because other bytes may have the same hash */
  metric(hash: number): MetricTemplate | undefined {
    return this.metrics.get(hash);
  }

  /** @returns the template with this hash; compare its bytes, because other bytes may have the same hash */
  identity(hash: number): IdentityTemplate | undefined {
    return this.identities.get(hash);
  }

  isAt(piece: Piece, view: DataView, at: number): boolean {
    return this.arena.isAt(piece, view, at);
  }

  /** Learns the metric name of a row that the slow lane has read, and the row's identity and labels if the identity has occurred
   *  before. Ignores a row that `exporterRowOf` cannot split. */
  learn(bytes: Buffer, recognized: RecognizedRow): void {
    const row = exporterRowOf(bytes);
    if (row === undefined) return;
    this.learnMetric(row.metric, recognized);
    const hash = hashOf(row.identity);
    if (this.isNew(hash)) return;
    if (!this.arena.hasRoomFor(bytes.length)) this.clear();
    const identity = this.learnIdentity(row.identity, hash);
    if (identity.labelsToLearn === 0 || identity.labels.some((labels) => this.isOf(row, labels))) return;
    identity.labelsToLearn -= 1;
    identity.labels.unshift(this.labelsTemplate(row, recognized));
    if (identity.labels.length > maxLabelsOfIdentity) identity.labels.pop();
  }

  private isNew(hash: number): boolean {
    if (this.seen.has(hash)) return false;
    if (this.seen.size >= maxSeen) this.seen.clear();
    this.seen.add(hash);
    return true;
  }

  private clear(): void {
    this.arena.clear();
    this.identities.clear();
    this.clearings += 1;
  }

  private learnMetric(bytes: Buffer, { metric, spelling }: RecognizedRow): void {
    const hash = hashOf(bytes);
    const existing = this.metrics.get(hash)?.name;
    if (existing?.length === bytes.length && existing.isAt(viewOf(bytes), 0)) return;
    if (this.metrics.size >= maxMetrics) this.metrics.clear();
    const isOfBoard = typeof metric === "number" && catalogue[metric]?.scope === "board";
    this.metrics.set(hash, { name: new ByteString(bytes), metric, spelling, isOfBoard });
  }

  private learnIdentity(cells: Buffer, hash: number): IdentityTemplate {
    const existing = this.identities.get(hash);
    if (existing?.cells.length === cells.length && this.isAt(existing.cells, viewOf(cells), 0)) return existing;
    const template = {
      cells: this.arena.add(cells),
      labels: [],
      labelsToLearn: labelsToLearnMax,
      next: undefined,
    };
    this.identities.set(hash, template);
    return template;
  }

  private labelsTemplate(row: ExporterRow, recognized: RecognizedRow): LabelsTemplate {
    const device = new RecordCursor(recognized.device, recognized.workload);
    const isOfBoard = recognized.board === recognized.device;
    const board = isOfBoard ? device : new RecordCursor(recognized.board, noWorkload);
    const at = nameInLabels(row);
    const before = this.arena.add(at === undefined ? row.labels : row.labels.subarray(0, at));
    const after = at === undefined ? undefined : this.arena.add(row.labels.subarray(at + row.metric.length));
    return { before, after, device, board };
  }

  /** True if the template matches these labels. */
  private isOf({ metric, labels }: ExporterRow, { before, after }: LabelsTemplate): boolean {
    const view = viewOf(labels);
    if (!this.isAt(before, view, 0)) return false;
    if (after === undefined) return before.length === labels.length;
    const nameEnd = before.length + metric.length;
    const sameName = metric.equals(labels.subarray(before.length, nameEnd));
    return sameName && nameEnd + after.length === labels.length && this.isAt(after, view, nameEnd);
  }
}
