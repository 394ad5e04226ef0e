import { comma, lineFeed, quote } from "../bytes/characters.ts";
import { parseLabels } from "../labels/labels.ts";

/** A row of dcgm-exporter's layout in which every cell is quoted, and no cell but the labels contains quotes. */
export interface ExporterRow {
  readonly metric: Buffer;
  /** The bytes from the text of gpu_id up to and including the opening quote of value. */
  readonly identity: Buffer;
  /** The text of the last cell and its closing quote. */
  readonly labels: Buffer;
}

/** Indexes of the exporter's columns: timestamp, metric_name, gpu_id ... namespace, value, labels_raw. */
const identityFirstColumn = 2;
const valueColumn = 10;

/** The longest row that is split; longer rows are too rare to be worth a template. */
const rowMaxBytes = 4096;
const plainMetricName = /^[A-Za-z0-9_:. -]+$/;
const nameLabelStart = '__name__=""';

/** Splits a row into its pieces.
 *  @param row a whole row that csv-parse has read as 12 fields
 *  @returns undefined if the row is too long, has another form, or its metric's name has unusual characters */
export function exporterRowOf(row: Buffer): ExporterRow | undefined {
  if (row.length > rowMaxBytes || row.includes(lineFeed) || row[0] !== quote || row[row.length - 1] !== quote) {
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

/** Finds the metric's name in the labels.
 *  @returns the name's offset; undefined if the labels do not contain the name, or if another name in its place would
 *    change the GPU's attributes */
export function nameInLabels({ metric, labels }: ExporterRow): number | undefined {
  const label = labels.indexOf(`${nameLabelStart}${metric.toString("latin1")}""`);
  if (label === -1) return undefined;
  const at = label + nameLabelStart.length;
  const [before, after] = [cellText(labels.subarray(0, at)), cellText(labels.subarray(at + metric.length, -1))];
  const other = labels[at] === 0x58 ? "Y" : "X"; // 0x58 is X
  const same = attributesOf(cellText(labels.subarray(0, -1))) === attributesOf(`${before}${other}${after}`);
  return same ? at : undefined;
}

function attributesOf(labels: string): string {
  return JSON.stringify(parseLabels(labels));
}

function cellText(bytes: Buffer): string {
  return bytes.toString().replaceAll('""', '"');
}
