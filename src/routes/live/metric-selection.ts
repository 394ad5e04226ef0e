import type { StoredRecord } from "../../domain/query.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { LiveUpdate } from "./live-feed.ts";

/** Serialises the selected metrics of records. The text of the last record is cached for all topics with this selection, and
 *  the last timestamp is cached for all records of the same instant. */
export class MetricSelection {
  /** Each metric's name, with the text that precedes its value; undefined: all metrics. */
  private readonly fields: readonly (readonly [name: string, text: string])[] | undefined;
  private lastRecord: StoredRecord | undefined;
  private lastText: string | undefined;
  private lastMs = NaN;
  private lastTimestamp = "";

  /** @param metrics names, in the order in which they are sent; undefined: all metrics, including those outside the
   *  catalogue */
  constructor(metrics: readonly string[] | undefined) {
    this.fields = metrics?.map((name) => [name, `,${JSON.stringify(name)}:`]);
  }

  /** True if the record's instant differs from that of the previous record, or a selected metric has changed. Always true if
   *  all metrics are sent. */
  hasChanged({ record, previous }: LiveUpdate): boolean {
    if (this.fields === undefined || previous?.timeMs !== record.timeMs) return true;
    return this.fields.some(([name]) => record.metrics[name] !== previous.metrics[name]);
  }

  /** A telemetry_update without its end, which `tailText` makes.
   *  @returns undefined if the record has none of the selected metrics */
  textOf(record: StoredRecord): string | undefined {
    if (this.lastRecord !== record) {
      this.lastRecord = record;
      this.lastText = this.textOfRecord(record);
    }
    return this.lastText;
  }

  private textOfRecord(record: StoredRecord): string | undefined {
    const data = this.dataText(record);
    if (data === "{}") return undefined;
    if (record.timeMs !== this.lastMs) {
      this.lastMs = record.timeMs;
      this.lastTimestamp = formatTimestamp(record.timeMs);
    }
    const uuid = JSON.stringify(record.gpu.uuid);
    return `{"type":"telemetry_update","timestamp":"${this.lastTimestamp}","gpu_uuid":${uuid},"data":${data}`;
  }

  private dataText({ metrics, custom }: StoredRecord): string {
    if (this.fields === undefined) {
      return JSON.stringify(Object.keys(custom).length === 0 ? metrics : { ...metrics, custom });
    }
    // without JSON.stringify, because this code runs for every record; the text of a finite number is valid JSON
    let text = "";
    for (const [name, precedingText] of this.fields) {
      const value = metrics[name];
      if (value !== undefined) text += precedingText + value;
    }
    return `{${text.slice(1)}}`;
  }
}

/** The origin of an update that is not live. */
export type UpdateOrigin = "snapshot" | "replay";

/** The end of a telemetry_update.
 *  @param id the subscription's id, if the client chose it */
export function tailText(id: string | undefined, origin?: UpdateOrigin): string {
  const idText = id === undefined ? "" : `,"id":${JSON.stringify(id)}`;
  return `${idText}${origin === undefined ? "" : `,"${origin}":true`}}`;
}
