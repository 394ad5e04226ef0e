import type { StoredRecord } from "../../domain/query.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { LiveUpdate } from "./live-feed.ts";

/** What of a record somebody wants, as text. The text of the update that was asked for last is kept: everybody who wants
 *  the same of it gets the same string. */
export class Selection {
  private lastRecord: StoredRecord | undefined;
  private lastText: string | undefined;

  /** @param metrics names, in the order in which they are shown; undefined: all, with those outside the catalogue */
  constructor(private readonly metrics: readonly string[] | undefined) {}

  /** Whether a record got more of what is wanted than had been told of it. */
  isNews({ record, before }: LiveUpdate): boolean {
    if (this.metrics === undefined || before?.timeMs !== record.timeMs) return true;
    return this.metrics.some((name) => record.metrics[name] !== before.metrics[name]);
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
    const uuid = JSON.stringify(record.gpu.uuid);
    return `{"type":"telemetry_update","timestamp":"${formatTimestamp(record.timeMs)}","gpu_uuid":${uuid},"data":${data}`;
  }

  private dataText({ metrics, custom }: StoredRecord): string {
    if (this.metrics === undefined) {
      return JSON.stringify(Object.keys(custom).length === 0 ? metrics : { ...metrics, custom });
    }
    const data: Record<string, number> = {};
    for (const name of this.metrics) {
      const value = metrics[name];
      if (value !== undefined) data[name] = value;
    }
    return JSON.stringify(data);
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
