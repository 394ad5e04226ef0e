import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { RecordFilter, Resolution } from "../../domain/query.ts";
import type { Clock } from "../../kit/clock.ts";
import { defined } from "../../kit/defined.ts";
import type { HistoryQueries } from "../../pipeline/store/telemetry-queries.ts";
import { recordColumns, type Row } from "../http/formats/columns.ts";
import { formatOf } from "../http/formats/negotiate.ts";
import { rowAnswer } from "../http/formats/row-answer.ts";
import { encodeCursor } from "../http/parameters/cursor.ts";
import { toApiRecord, toApiRollup } from "../schemas/telemetry-record.ts";
import { type HistoryRequest, historyRequestOf, type HistoryValues } from "./history-request.ts";
import { narrowed } from "./narrowed.ts";

interface HistoryAnswer {
  readonly success: true;
  readonly count: number;
  readonly resolution: Resolution;
  readonly next_cursor?: string;
  readonly data: readonly Row[];
}

/** Rows that are in memory at a time where all of a window is given. */
const rowsAtATime = 2000;

/** Answers from the history, part by part. */
export class HistoryAnswers {
  constructor(
    private readonly queries: HistoryQueries,
    private readonly clock: Clock,
  ) {}

  /** The answer in the form that the client takes.
   *  @param gpus those that the path names */
  async answer(request: Request, gpus: GpuSelector, values: HistoryValues): Promise<HistoryAnswer | Response> {
    const format = formatOf(request);
    const asked = historyRequestOf(values, gpus, this.clock.nowMs());
    if (format === "json") return this.part(asked);
    const parts = asked.isUnlimited ? this.all(asked) : this.onePart(asked);
    return rowAnswer({ request, format, columns: recordColumns(asked.metrics), parts });
  }

  /** The newest part of what is asked for, with a cursor for the next, older one. */
  page(gpus: GpuSelector, values: HistoryValues): Promise<HistoryAnswer> {
    return this.part(historyRequestOf(values, gpus, this.clock.nowMs()));
  }

  private async part(asked: HistoryRequest): Promise<HistoryAnswer> {
    const { elements, next } = await this.read(asked, asked.records);
    if (asked.isNewestFirst) elements.reverse();
    const next_cursor = next && encodeCursor([next.timeMs, next.gpuKey]);
    return {
      success: true,
      count: elements.length,
      resolution: asked.resolution,
      ...defined({ next_cursor }),
      data: elements,
    };
  }

  private async *onePart(asked: HistoryRequest): AsyncGenerator<readonly Row[], void> {
    yield (await this.part(asked)).data;
  }

  /** Every record of the range, however many, part by part. */
  private async *all(asked: HistoryRequest): AsyncGenerator<readonly Row[], void> {
    const { isNewestFirst } = asked;
    let records: RecordFilter | undefined = { ...asked.records, isForward: !isNewestFirst, limit: rowsAtATime };
    while (records !== undefined) {
      const { elements, next } = await this.read(asked, records);
      yield isNewestFirst ? elements.reverse() : elements;
      records = next && { ...records, cursor: next };
    }
  }

  private async read({ resolution, metrics }: HistoryRequest, records: RecordFilter) {
    if (resolution === "raw") {
      const { elements, next } = await this.queries.records(records);
      return { elements: elements.map((record) => toApiRecord(narrowed(record, metrics))), next };
    }
    const { elements, next } = await this.queries.rollups(records, resolution);
    return { elements: elements.map((rollup) => toApiRollup(narrowed(rollup, metrics))), next };
  }
}
