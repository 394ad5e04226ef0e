import type { Static } from "@sinclair/typebox";
import type { Clock } from "../../kit/clock.ts";
import type { GpuSelector } from "../../domain/gpu-selector.ts";
import type { HistoryCursor, RecordFilter, Resolution, RollupResolution } from "../../domain/query.ts";
import type { TimeRange } from "../../domain/time-range.ts";
import type { TelemetryQueries } from "../../pipeline/store/telemetry-queries.ts";
import { invalidParameter } from "../http/api-error.ts";
import { metricsOf, narrowed } from "../http/filters.ts";
import { recordColumns, type Row } from "../http/formats/columns.ts";
import { formatOf } from "../http/formats/negotiate.ts";
import { rowAnswer } from "../http/formats/row-answer.ts";
import { type fleetHistoryQuery, rangeOf } from "../http/parameters.ts";
import { selectorOf } from "../schemas/gpu-selector.ts";
import { toApiRecord, toApiRollup } from "../schemas/telemetry-record.ts";

/** Widest windows that `auto` shows record by record, and minute by minute: at one record in 10 s, some 2,000 records
 *  and 10,000 minutes a GPU. */
const rawMaxMs = 6 * 3_600_000;
const minutesMaxMs = 7 * 24 * 3_600_000;

type HistoryQuery = Static<typeof fleetHistoryQuery>;

interface HistoryAnswer {
  readonly success: true;
  readonly count: number;
  readonly resolution: Resolution;
  readonly next_cursor?: string;
  readonly data: readonly Row[];
}

/** Rows that are in memory at a time where all of a window is given. */
const rowsAtATime = 2000;

/** Answers out of the history, part by part. */
export class HistoryAnswers {
  constructor(
    private readonly queries: TelemetryQueries,
    private readonly clock: Clock,
  ) {}

  /** The answer in the form that the client takes.
   *  @param gpus of the path */
  async answer(request: Request, gpus: GpuSelector, query: HistoryQuery): Promise<HistoryAnswer | Response> {
    const format = formatOf(request);
    if (format === "json") return this.page(gpus, query);
    const columns = recordColumns(namesOf(query));
    // the limit's default is for answers that are one piece
    const isWhole = query.cursor === undefined && !new URL(request.url).searchParams.has("limit");
    const parts = isWhole ? this.window(gpus, query) : this.onePart(gpus, query);
    return rowAnswer({ request, format, columns, parts });
  }

  /** The newest part that the request asks for, with where the next, older one begins.
   *  @param gpus of the path */
  async page(gpus: GpuSelector, query: HistoryQuery): Promise<HistoryAnswer> {
    const { range, limit } = rangeOf(query);
    const resolution = this.resolutionOf(query.resolution ?? "raw", range);
    const cursor = query.cursor === undefined ? {} : { cursor: readCursor(query.cursor) };
    const all = { gpus: { ...selectorOf(query), ...gpus }, range, limit, ...cursor };
    const { elements, next } = await this.read(all, resolution, namesOf(query));
    if (query.order === "desc") elements.reverse();
    return {
      success: true,
      count: elements.length,
      resolution,
      ...(next === undefined ? {} : { next_cursor: cursorText(next) }),
      data: elements,
    };
  }

  private async *onePart(gpus: GpuSelector, query: HistoryQuery): AsyncGenerator<readonly Row[], void> {
    yield (await this.page(gpus, query)).data;
  }

  /** Every record of the window, however many, part by part. */
  private async *window(gpus: GpuSelector, query: HistoryQuery): AsyncGenerator<readonly Row[], void> {
    const { range } = rangeOf(query);
    const resolution = this.resolutionOf(query.resolution ?? "raw", range);
    const isForward = query.order !== "desc";
    const all = { gpus: { ...selectorOf(query), ...gpus }, range, isForward, limit: rowsAtATime };
    let cursor: HistoryCursor | undefined;
    do {
      const part = await this.read({ ...all, ...(cursor === undefined ? {} : { cursor }) }, resolution, namesOf(query));
      yield isForward ? part.elements : part.elements.reverse();
      cursor = part.next;
    } while (cursor !== undefined);
  }

  /** @returns what `auto` means for a window: the finest that it is not too wide for */
  resolutionOf(asked: string, { fromMs, toMs }: TimeRange): Resolution {
    if (asked !== "auto") return asked as Resolution;
    // without a beginning it is the newest records that are asked for
    if (fromMs === -Infinity) return "raw";
    const widthMs = (toMs === Infinity ? this.clock.nowMs() : toMs - 1) - fromMs;
    if (widthMs <= rawMaxMs) return "raw";
    return rollupFor(widthMs);
  }

  private async read(filter: RecordFilter, resolution: Resolution, names: readonly string[] | undefined) {
    if (resolution === "raw") {
      const { elements, next } = await this.queries.records(filter);
      return { elements: elements.map((record) => toApiRecord(narrowed(record, names))), next };
    }
    const { elements, next } = await this.queries.rollups(filter, resolution);
    return { elements: elements.map((rollup) => toApiRollup(narrowed(rollup, names))), next };
  }
}

/** The finest rollup that a window is not too wide for. */
export function rollupFor(widthMs: number): RollupResolution {
  return widthMs <= minutesMaxMs ? "1m" : "1h";
}

function namesOf({ metrics }: HistoryQuery): readonly string[] | undefined {
  return metrics === undefined ? undefined : metricsOf(metrics);
}

function cursorText({ timeMs, gpuKey }: HistoryCursor): string {
  return Buffer.from(`${timeMs}:${gpuKey}`).toString("base64url");
}

function readCursor(text: string): HistoryCursor {
  const [, timeMs, gpuKey] = /^(-?\d{1,15}):(\d{1,10})$/.exec(Buffer.from(text, "base64url").toString()) ?? [];
  if (timeMs !== undefined && gpuKey !== undefined) return { timeMs: Number(timeMs), gpuKey: Number(gpuKey) };
  throw invalidParameter({ parameter: "cursor", value: text, expected: "next_cursor of the part before, as it is" });
}
