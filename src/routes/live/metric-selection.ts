import { isSameOccupants } from "../../domain/gpu.ts";
import type { MetricChoice } from "../../domain/metric-choice.ts";
import type { StoredRecord } from "../../domain/query.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import { toApiMig } from "../schemas/mig-fields.ts";
import { toApiOccupants } from "../schemas/occupants.ts";
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

  /** @param choice in the order in which the metrics are sent; undefined: all metrics and series */
  constructor(private readonly choice: MetricChoice | undefined) {
    this.fields = choice?.names.map((name) => [name, `,${JSON.stringify(name)}:`]);
  }

  /** True if the record's instant differs from that of the previous record, or something that is sent has changed. Always
   *  true if all metrics are sent. */
  hasChanged({ record, previous }: LiveUpdate): boolean {
    if (this.fields === undefined || previous?.timeMs !== record.timeMs) return true;
    if (this.fields.some(([name]) => record.metrics[name] !== previous.metrics[name])) return true;
    if (record.occupants.length > 1 && !isSameOccupants(record.occupants, previous.occupants)) return true;
    return this.choice !== undefined && hasOtherSeries(this.choice, record, previous);
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
    const device = fieldsText(toApiMig(record.gpu.uuid)) + fieldsText(toApiOccupants(record.occupants));
    return `{"type":"telemetry_update","timestamp":"${this.lastTimestamp}","gpu_uuid":${uuid}${device},"data":${data}`;
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
    if (this.choice !== undefined && this.choice.series.length > 0) {
      const series = this.choice.seriesOf(custom);
      if (Object.keys(series).length > 0) text += `,"custom":${JSON.stringify(series)}`;
    }
    return `{${text.slice(1)}}`;
  }
}

/** An object's fields in JSON, each after a comma. */
function fieldsText(object: object): string {
  return Object.keys(object).length === 0 ? "" : `,${JSON.stringify(object).slice(1, -1)}`;
}

function hasOtherSeries(choice: MetricChoice, a: StoredRecord, b: StoredRecord): boolean {
  if (choice.series.length === 0) return false;
  const [ofA, ofB] = [choice.seriesOf(a.custom), choice.seriesOf(b.custom)];
  const names = Object.keys(ofA);
  return names.length !== Object.keys(ofB).length || names.some((name) => ofA[name] !== ofB[name]);
}

/** The origin of an update that is not live. */
export type UpdateOrigin = "snapshot" | "replay";

/** The end of a telemetry_update.
 *  @param id the subscription's id, if the client chose it */
export function tailText(id: string | undefined, origin?: UpdateOrigin): string {
  const idText = id === undefined ? "" : `,"id":${JSON.stringify(id)}`;
  return `${idText}${origin === undefined ? "" : `,"${origin}":true`}}`;
}
