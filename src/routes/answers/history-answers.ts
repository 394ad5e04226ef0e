import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { HistoryCursor, RecordFilter, Resolution } from "../../domain/query.ts";
import type { Clock } from "../../kit/clock.ts";
import { defined } from "../../kit/defined.ts";
import type { HistoryQueries } from "../../pipeline/store/telemetry-queries.ts";
import { filledColumns, recordColumns, type Row } from "../http/formats/columns.ts";
import { inOnePart } from "../http/formats/list-in-format.ts";
import { formatOf } from "../http/formats/negotiate.ts";
import { rowAnswer } from "../http/formats/row-answer.ts";
import { headOf } from "../http/formats/head-of.ts";
import { encodeCursor } from "../http/parameters/cursor.ts";
import { toApiRecord, toApiRollup } from "../schemas/telemetry-record.ts";
import { type HistoryRequest, historyRequestOf, type HistoryValues } from "./history-request.ts";
import { narrowed } from "./narrowed.ts";
import { recordForm } from "./record-form.ts";

type ShownRecord = ReturnType<typeof recordForm>["shown"];

interface HistoryAnswer {
  readonly success: true;
  readonly count: number;
  readonly resolution: Resolution;
  readonly next_cursor?: string;
  readonly data: readonly Row[];
}

/** Rows that are read at a time while a whole range is sent. */
const rowsAtATime = 2000;

/** Answers requests for history. */
export class HistoryAnswers {
  constructor(
    private readonly queries: HistoryQueries,
    private readonly clock: Clock,
  ) {}

  /** The answer in the format that the client accepts.
   *  @param gpus the GPUs that the path names */
  async answer(request: Request, gpus: GpuSelector, values: HistoryValues): Promise<HistoryAnswer | Response> {
    const format = formatOf(request);
    const requested = historyRequestOf(values, gpus, this.clock.nowMs());
    if (request.method === "HEAD") return headOf(request, format);
    if (format === "json") return this.part(requested);
    const names = requested.metrics?.names;
    const { schema, shown } = recordForm(requested.resolution === "raw" ? format : "json");
    if (requested.isUnlimited) {
      const whole = new WholeRange((records) => this.read(requested, records, shown), requested);
      // before the rows, which may use up what the client may read
      const kinds = format === "ndjson" ? noKinds : await this.queries.deviceKinds();
      const columns = () =>
        whole.onlyRows === undefined
          ? recordColumns(schema, names, kinds)
          : filledColumns(schema, whole.onlyRows, names);
      return rowAnswer({ request, format, columns, schema, parts: whole.parts() });
    }
    const { data, next_cursor } = await this.part(requested, shown);
    const rows = { columns: filledColumns(schema, data, names), schema, parts: inOnePart(data) };
    return rowAnswer({ request, format, ...rows, paging: { next_cursor } });
  }

  /** A page of the requested history: the newest one if no cursor is given. If an older page follows, the answer
   *  contains the cursor of that page. */
  page(gpus: GpuSelector, values: HistoryValues): Promise<HistoryAnswer> {
    return this.part(historyRequestOf(values, gpus, this.clock.nowMs()));
  }

  private async part(requested: HistoryRequest, shown: ShownRecord = toApiRecord): Promise<HistoryAnswer> {
    const { elements, next } = await this.read(requested, requested.records, shown);
    if (requested.isNewestFirst) elements.reverse();
    const next_cursor = next && encodeCursor([next.timeMs, next.gpuKey]);
    return {
      success: true,
      count: elements.length,
      resolution: requested.resolution,
      ...defined({ next_cursor }),
      data: elements,
    };
  }

  private async read({ resolution, metrics }: HistoryRequest, records: RecordFilter, shown: ShownRecord) {
    if (resolution === "raw") {
      const { elements, next } = await this.queries.records(records);
      return { elements: elements.map((record) => shown(narrowed(record, metrics))), next };
    }
    const { elements, next } = await this.queries.rollups(records, resolution);
    return { elements: elements.map((rollup) => toApiRollup(narrowed(rollup, metrics))), next };
  }
}

const noKinds = { hasMigInstances: false, hasSharedDevices: false };

type Read = (records: RecordFilter) => Promise<{ readonly elements: Row[]; readonly next: HistoryCursor | undefined }>;

/** The rows of a whole range, which are read part by part. */
class WholeRange {
  /** The rows, if the first part has all of them; undefined if it has not, or is not read. */
  onlyRows: readonly Row[] | undefined;

  constructor(
    private readonly read: Read,
    private readonly requested: HistoryRequest,
  ) {}

  async *parts(): AsyncGenerator<readonly Row[], void> {
    const { isNewestFirst } = this.requested;
    let records: RecordFilter | undefined = {
      ...this.requested.records,
      isForward: !isNewestFirst,
      limit: rowsAtATime,
    };
    for (let isFirst = true; records !== undefined; isFirst = false) {
      const { elements, next } = await this.read(records);
      if (isFirst && next === undefined) this.onlyRows = elements;
      yield isNewestFirst ? elements.reverse() : elements;
      records = next && { ...records, cursor: next };
    }
  }
}
