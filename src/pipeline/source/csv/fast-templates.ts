import type { Gpu, Workload } from "../../../domain/gpu.ts";
import { copyOf, equalAt, viewOf } from "./equal-bytes.ts";
import { parseLabels } from "./labels.ts";
import type { KnownRow } from "./row-reader.ts";

/** A metric name as the file writes it. */
export interface MetricTemplate {
  readonly bytes: Buffer;
  readonly metric: number | string;
}

/** The labels of a GPU: `before`, then the row's metric name, then `after`; without a name in them, `before` alone.
 *  The closing quote is included. */
export interface LabelsTemplate {
  readonly before: DataView;
  readonly after: DataView | undefined;
  readonly gpu: Gpu;
  /** The GPU's index in the last batch; worth a try in this one. */
  gpuIndexHint: number;
}

/** The cells from gpu_id to namespace, with the quotes around them up to the value's opening quote. */
export interface IdentityTemplate {
  readonly bytes: DataView;
  readonly workload: Workload;
  workloadIndexHint: number;
  /** The one that matched last comes first. */
  readonly labels: LabelsTemplate[];
  /** What followed it the last time: files repeat the order of their GPUs. */
  next: IdentityTemplate | undefined;
}

/** A row in which every cell is quoted and only the labels hold quotes. */
interface RowPieces {
  readonly metric: Buffer;
  readonly identity: Buffer;
  readonly labels: Buffer;
}

const quote = 0x22;
const comma = 0x2c;
const lineFeed = 0x0a;
/** Of the exporter's columns: timestamp, metric_name, gpu_id ... namespace, value, labels_raw. */
const identityFirstColumn = 2;
const valueColumn = 10;

/** Longer rows are read by the slow lane: they are too rare to keep. */
const pieceMaxBytes = 4096;
const maxMetrics = 1024;
const maxLabelsOfIdentity = 8;
/** About 60,000 GPUs; then all are learnt again. */
const identitiesMaxBytes = 32 * 1024 * 1024;
/** What a template takes beside its bytes, roughly. */
const templateOverheadBytes = 300;

const plainMetricName = /^[A-Za-z0-9_:. -]+$/;
const nameLabelStart = '__name__=""';

/** The rows that were read before, as bytes to compare with. */
export class FastTemplates {
  private readonly metrics = new Map<number, MetricTemplate>();
  private readonly identities = new Map<number, IdentityTemplate>();
  private identitiesBytes = 0;

  /** @returns the template of this hash; it may be another's with the same hash */
  metric(hash: number): MetricTemplate | undefined {
    return this.metrics.get(hash);
  }

  /** @returns the template of this hash; it may be another's with the same hash */
  identity(hash: number): IdentityTemplate | undefined {
    return this.identities.get(hash);
  }

  /** Learns a row that the slow lane has read: from now on rows like it need no parsing. */
  learn(row: Buffer, known: KnownRow): void {
    const pieces = piecesOf(row);
    if (pieces === undefined) return;
    this.learnMetric(pieces.metric, known.metric);
    const identity = this.learnIdentity(pieces.identity, known.workload);
    if (identity.labels.some((labels) => isOf(pieces, labels))) return;
    identity.labels.unshift(labelsTemplate(pieces, known.gpu));
    if (identity.labels.length > maxLabelsOfIdentity) identity.labels.pop();
    else this.identitiesBytes += pieces.labels.length + templateOverheadBytes;
  }

  private learnMetric(bytes: Buffer, metric: number | string): void {
    if (this.metrics.size >= maxMetrics) this.metrics.clear();
    this.metrics.set(hashOf(bytes), { bytes: Buffer.from(bytes), metric });
  }

  private learnIdentity(bytes: Buffer, workload: Workload): IdentityTemplate {
    const hash = hashOf(bytes);
    const known = this.identities.get(hash);
    if (known?.bytes.byteLength === bytes.length && equalAt(viewOf(bytes), 0, known.bytes)) return known;
    if (this.identitiesBytes > identitiesMaxBytes) {
      this.identities.clear();
      this.identitiesBytes = 0;
    }
    const template = identityTemplate(copyOf(bytes), workload);
    this.identities.set(hash, template);
    this.identitiesBytes += bytes.length + templateOverheadBytes;
    return template;
  }
}

/** A template that has no labels yet. */
export function identityTemplate(bytes: DataView, workload: Workload): IdentityTemplate {
  return { bytes, workload, workloadIndexHint: 0, labels: [], next: undefined };
}

/** The hash that templates are found by; FNV-1a without its last shuffle. */
export function hashStep(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

/** Where `hashStep` begins. */
export const hashStart = 0x811c9dc5;

function hashOf(bytes: Buffer): number {
  let hash = hashStart;
  for (const byte of bytes) hash = hashStep(hash, byte);
  return hash;
}

/** Cuts a row into its pieces; undefined where it is not of the exact form. The row is known to be well-formed. */
function piecesOf(row: Buffer): RowPieces | undefined {
  if (row.length > pieceMaxBytes || row.includes(lineFeed) || row[0] !== quote || row[row.length - 1] !== quote) {
    return undefined;
  }
  const cellStarts = [1];
  for (let column = 0; column <= valueColumn; column += 1) {
    const end = row.indexOf(quote, cellStarts[column]);
    if (row[end + 1] !== comma || row[end + 2] !== quote) return undefined;
    cellStarts.push(end + 3);
  }
  const [, metricStart = 0, identityStart = 0] = cellStarts;
  const metric = row.subarray(metricStart, identityStart - 3);
  if (!plainMetricName.test(metric.toString("latin1"))) return undefined;
  const identity = row.subarray(cellStarts[identityFirstColumn], cellStarts[valueColumn]);
  return { metric, identity, labels: row.subarray(cellStarts[valueColumn + 1]) };
}

function labelsTemplate({ metric, labels }: RowPieces, gpu: Gpu): LabelsTemplate {
  const at = labels.indexOf(`${nameLabelStart}${metric.toString("latin1")}""`);
  const cut = at + nameLabelStart.length;
  const holdsName = at !== -1 && isOnlyName(labels, cut, metric.length);
  const before = copyOf(holdsName ? labels.subarray(0, cut) : labels);
  const after = holdsName ? copyOf(labels.subarray(cut + metric.length)) : undefined;
  return { before, after, gpu, gpuIndexHint: -1 };
}

/** True where the template says what these labels say. */
function isOf({ metric, labels }: RowPieces, { before, after }: LabelsTemplate): boolean {
  const view = viewOf(labels);
  if (!equalAt(view, 0, before)) return false;
  if (after === undefined) return before.byteLength === labels.length;
  const nameEnd = before.byteLength + metric.length;
  const sameName = metric.equals(labels.subarray(before.byteLength, nameEnd));
  return sameName && nameEnd + after.byteLength === labels.length && equalAt(view, nameEnd, after);
}

/** True where another metric name in that place would change nothing about the GPU: it is the label's own value and
 *  not part of another label's text. */
function isOnlyName(labels: Buffer, at: number, length: number): boolean {
  const [before, after] = [cellText(labels.subarray(0, at)), cellText(labels.subarray(at + length, -1))];
  const original = cellText(labels.subarray(0, -1));
  const other = labels[at] === 0x58 ? "Y" : "X"; // 0x58 is X
  return JSON.stringify(parseLabels(original)) === JSON.stringify(parseLabels(`${before}${other}${after}`));
}

function cellText(bytes: Buffer): string {
  return bytes.toString().replaceAll('""', '"');
}
