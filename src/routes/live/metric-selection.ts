import type { StoredRecord } from "../../domain/query.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { LiveUpdate } from "./live-feed.ts";

/** What of a record somebody wants, as text. What was asked for last is kept: everybody who wants the same of a record gets
 *  the same string, and records of one instant share its text. */
export class MetricSelection {
  /** Names with the text before their value. */
  private readonly fields: readonly (readonly [name: string, text: string])[] | undefined;
  private lastRecord: StoredRecord | undefined;
  private lastText: string | undefined;
  private lastMs = NaN;
  private lastTimestamp = "";

  /** @param metrics names, in the order in which they are shown; undefined: all, with those outside the catalogue */
  constructor(metrics: readonly string[] | undefined) {
    this.fields = metrics?.map((name) => [name, `,${JSON.stringify(name)}:`]);
  }

  /** Whether a record got more of what is wanted than had been told of it. */
  isNews({ record, before }: LiveUpdate): boolean {
    if (this.fields === undefined || before?.timeMs !== record.timeMs) return true;
    return this.fields.some(([name]) => record.metrics[name] !== before.metrics[name]);
  }

  /** A telemetry_update without its end, to which `tailText` is added.
   *  @returns undefined where the record has nothing of what is wanted */
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
    // by hand, since it is made for every record: a finite number's text is JSON's
    let text = "";
    for (const [name, before] of this.fields) {
      const value = metrics[name];
      if (value !== undefined) text += before + value;
    }
    return `{${text.slice(1)}}`;
  }
}

/** Why an update is sent, where it is not live. */
export type UpdateOrigin = "snapshot" | "replay";

/** The end of a telemetry_update.
 *  @param id where the client gave its subscription one */
export function tailText(id: string | undefined, origin?: UpdateOrigin): string {
  const named = id === undefined ? "" : `,"id":${JSON.stringify(id)}`;
  return `${named}${origin === undefined ? "" : `,"${origin}":true`}}`;
}
