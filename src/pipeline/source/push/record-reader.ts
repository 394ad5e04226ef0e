import { LRUCache } from "lru-cache";
import { BatchBuilder } from "../../../domain/batch-builder.ts";
import type { RecordBatch } from "../../../domain/batch.ts";
import { quoted } from "../../../domain/cut-text.ts";
import { UnusableSource } from "../../../domain/errors.ts";
import type { FieldError } from "../../../domain/field-rules.ts";
import { normalName } from "../csv/column-names.ts";
import { detectLayout, type Layout } from "../csv/layout.ts";
import { meantNames } from "../csv/meant-names.ts";
import { MissingColumns } from "../csv/missing-columns.ts";
import { Rejections, type RowPlace } from "../csv/rejections.ts";
import { RowReader } from "../csv/row-reader.ts";
import { GpuCache } from "../labels/gpu-cache.ts";
import type { PushedBody } from "../push.ts";
import { malformedRecord, type PushedRecord } from "./pushed-record.ts";
import { cellsOf, type RecordCells } from "./record-cells.ts";

/** Sets of members whose meaning is remembered. */
const layoutsMax = 200;

/** Reads records into batches, by the rules for rows of tables: a member is a column. */
export class RecordReader {
  readonly unread = new Set<string>();
  private readonly builder = new BatchBuilder();
  /** The record that is read, as a text once it is asked for: only what is rejected needs it. */
  private readonly window = {
    text: (): string => "",
    offset: 0,
    get bytes() {
      return Buffer.from(this.text());
    },
  };
  private readonly rejections = new Rejections(this.window, this.builder, ",");
  private readonly readers = new LRUCache<string, RowReader | FieldError>({ max: layoutsMax });
  private readonly gpus: GpuCache;

  /** @param defaults the cluster and the host of records that name none */
  constructor(private readonly defaults: Pick<PushedBody, "clusterId" | "hostname">) {
    this.gpus = new GpuCache(defaults.clusterId);
  }

  /** Rows since the last batch. */
  get rows(): number {
    return this.builder.rows;
  }

  add(record: PushedRecord): void {
    const { line, index } = record;
    const place = { line, start: index, end: Infinity };
    this.window.offset = index;
    this.window.text = () => ("error" in record ? record.raw : JSON.stringify(record.value));
    if ("error" in record) return this.reject(place, record.error);
    const cells = cellsOf(record.value);
    if (cells === undefined) return this.reject(place, noObject);
    for (const name of cells.unread) this.unread.add(name);
    const reader = this.readerFor(cells.names);
    if ("reason" in reader) return this.reject(place, reader);
    reader.read(cells.texts, place, cells);
  }

  takeBatch(): RecordBatch {
    return this.builder.build();
  }

  private reject(place: RowPlace, error: FieldError): void {
    this.builder.count("rows");
    this.rejections.add(place, error);
  }

  private readerFor(names: RecordCells["names"]): RowReader | FieldError {
    const key = JSON.stringify(names);
    let reader = this.readers.get(key);
    if (reader === undefined) this.readers.set(key, (reader = this.openReader(names)));
    return reader;
  }

  private openReader(names: readonly string[]): RowReader | FieldError {
    const layout = layoutOf(names, this.defaults.hostname);
    if ("reason" in layout) return layout;
    for (const name of layout.ignoredColumns) this.unread.add(name);
    const { builder, rejections, gpus } = this;
    const onUnread = (name: string): void => void this.unread.add(name);
    return new RowReader({
      layout,
      gpus,
      builder,
      rejections,
      onUnread,
      shiftMs: 0,
      otherTable: undefined,
    });
  }
}

/** Finds out what the members mean, or why they are not those of a record. */
function layoutOf(names: readonly string[], defaultHostname: string | undefined): Layout | FieldError {
  try {
    return { ...detectLayout(names, "The record", defaultHostname === undefined), defaultHostname };
  } catch (problem) {
    if (!(problem instanceof UnusableSource)) throw problem;
    const found = names.map((name) => quoted(name)).join(", ");
    const message =
      problem instanceof MissingColumns
        ? `The record lacks ${problem.missing.join(", ")}; found ${found || "nothing"}${meantNames(names, problem.missing, normalName)}.`
        : problem.message.replaceAll("column", "member");
    return { reason: "missing_field", field: "", value: "", message };
  }
}

const noObject = malformedRecord(
  "A record is an object with the members timestamp, uuid, gpu_id, hostname and metrics.",
);
