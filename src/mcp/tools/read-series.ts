import type { AnswerOf, GatewayApi, Query } from "../gateway-api.ts";
import { WrongArgument } from "../tool.ts";

/** A value, or a summary of several. */
export interface Point {
  readonly at: string;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  /** Number of values. */
  readonly count: number;
  /** How much a counter rose, if a summary says it. */
  readonly increase?: number;
}

/** The values of one series, oldest first. */
export interface SeriesOf {
  readonly name: string;
  /** Whose they are. */
  readonly of: string;
  readonly points: readonly Point[];
  /** The time of which each point is a summary; undefined if points are values. */
  readonly summaryOf: string | undefined;
  /** True if there are older ones in the range. */
  readonly isCut: boolean;
}

/** What is asked, by the tool's arguments. */
export interface HistoryAsked {
  readonly metric: string;
  readonly gpu_uuid?: string;
  readonly hostname?: string;
  readonly cluster_id?: string;
  readonly start_time: string;
  readonly end_time?: string;
  readonly resolution: string;
}

const summaryTimes: Readonly<Record<string, string>> = { "1m": "minute", "1h": "hour", "1d": "day" };

/** Records that are read for an answer; statistics are of all of them. */
const maxRecords = 5000;
/** The same, of records with all of their metrics. */
const maxWholeRecords = 1000;

/** Reads the series that a metric has. @throws ApiRefusal, WrongArgument */
export function readSeries(api: GatewayApi, asked: HistoryAsked): Promise<SeriesOf[]> {
  return asked.gpu_uuid === undefined ? ofGroup(api, asked) : ofGpu(api, asked, asked.gpu_uuid);
}

/** True if a name in a record is that of the series, or of a series of the metric. */
export function isSeriesOf(name: string, metric: string): boolean {
  return name === metric || name.startsWith(`${metric}{`);
}

/** Reads the series of a metric outside the catalogue, which cannot be asked for by name. They are in no summary.
 *  @throws ApiRefusal, WrongArgument */
export async function readOther(api: GatewayApi, asked: HistoryAsked, uuid: string): Promise<SeriesOf[]> {
  if (asked.resolution !== "auto" && asked.resolution !== "raw") {
    throw new WrongArgument("A metric outside the catalogue has no summaries: ask by raw or auto");
  }
  const { start_time, end_time, metric } = asked;
  const found = await seriesIn(api, { start_time, end_time, resolution: "raw", limit: maxWholeRecords }, uuid);
  return found.filter(({ name }) => isSeriesOf(name, metric));
}

type RecordOf = AnswerOf<"/api/v1/gpus/{uuid}/telemetry">["data"][number];

function ofGpu(api: GatewayApi, asked: HistoryAsked, uuid: string): Promise<SeriesOf[]> {
  const { start_time, end_time, resolution, metric: metrics } = asked;
  return seriesIn(api, { start_time, end_time, resolution, metrics, limit: maxRecords }, uuid);
}

async function seriesIn(api: GatewayApi, query: Query, uuid: string): Promise<SeriesOf[]> {
  const answer = await api.get("/api/v1/gpus/{uuid}/telemetry", query, { uuid });
  const series = new Map<string, Point[]>();
  for (const record of answer.data) {
    for (const [name, value] of valuesOf(record)) {
      const points = series.get(name) ?? [];
      series.set(name, points);
      points.push(pointOf(record, name, value));
    }
  }
  const isCut = answer.next_cursor !== undefined;
  return [...series].map(([name, points]) => ({
    name,
    of: uuid,
    points,
    summaryOf: summaryTimes[answer.resolution],
    isCut,
  }));
}

/** Fields of a record that are numbers, and no metrics: it has none. All others are texts or objects. */
function valuesOf(record: RecordOf): [string, number][] {
  const own = Object.entries(record).filter((entry): entry is [string, number] => typeof entry[1] === "number");
  return [...own, ...Object.entries(record.custom ?? {})];
}

function pointOf({ timestamp: at, rollup }: RecordOf, name: string, value: number): Point {
  const count = rollup?.count[name];
  if (rollup === undefined || count === undefined) return { at, mean: value, min: value, max: value, count: 1 };
  const increase = rollup.increase?.[name];
  const bounds = { min: rollup.min[name] ?? value, max: rollup.max[name] ?? value };
  return { at, mean: value, ...bounds, count, ...(increase === undefined ? {} : { increase }) };
}

async function ofGroup(api: GatewayApi, asked: HistoryAsked): Promise<SeriesOf[]> {
  const { metric, hostname, cluster_id, start_time, end_time, resolution } = asked;
  if (resolution === "raw") throw new WrongArgument("A host or cluster has no raw values: ask by 1m, 1h, 1d or auto");
  const range = { start_time, end_time, resolution, hostname, cluster_id };
  const group_by = hostname === undefined ? "cluster" : "host";
  const answer = await api.get("/api/v1/telemetry/aggregates", {
    ...range,
    group_by,
    metrics: metric,
    limit: maxRecords,
  });
  const series = new Map<string, { of: string; name: string; points: Point[] }>();
  for (const { timestamp: at, group, metrics } of answer.data) {
    const of = [group.cluster_id, group.hostname].filter(Boolean).join("/");
    for (const [name, { avg: mean, min, max, count, increase }] of Object.entries(metrics)) {
      const found = series.get(`${of} ${name}`) ?? { of, name, points: [] };
      series.set(`${of} ${name}`, found);
      found.points.push({ at, mean, min, max, count, ...(increase === undefined ? {} : { increase }) });
    }
  }
  return [...series.values()].map((each) => ({ ...each, summaryOf: summaryTimes[answer.resolution], isCut: false }));
}
