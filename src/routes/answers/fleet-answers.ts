import type { Static, TObject } from "@sinclair/typebox";
import type { StoredRecord } from "../../domain/query.ts";
import type { Fleet, FleetMember } from "../fleet/fleet.ts";
import { inState } from "../fleet/fleet-states.ts";
import { filledColumns, type Row } from "../http/formats/columns.ts";
import { formatOf } from "../http/formats/negotiate.ts";
import type { Paging } from "../http/formats/paging-headers.ts";
import { rowAnswer } from "../http/formats/row-answer.ts";
import { encodeCursor, type Place } from "../http/parameters/cursor.ts";
import { isRelativeTime } from "../http/parameters/relative-time.ts";
import { defined } from "../../kit/defined.ts";
import { comparePlaces, type ListPage, pageOf } from "../http/list-page.ts";
import type { gpuListQuery } from "../http/parameters/common.ts";
import type { ValuesOf } from "../http/parameters/parameter.ts";
import { timeRangeOf } from "../http/parameters/time-bounds.ts";
import { CachedBody, ResponseCache } from "../http/response-cache.ts";
import { type Status, statusOf } from "../schemas/activity.ts";
import { type FleetGpu, gpuSchema, toApiGpu } from "../schemas/gpu.ts";
import { selectorOf } from "../schemas/gpu-selector.ts";
import { hostSchema, newestByCluster, toApiHosts } from "../schemas/hierarchy.ts";
import { toApiRecord } from "../schemas/telemetry-record.ts";
import type { latestQuery } from "./history-request.ts";
import { narrowed } from "./narrowed.ts";
import { recordForm } from "./record-form.ts";

type ListValues = Partial<ValuesOf<typeof gpuListQuery>>;
type LatestValues = Partial<ValuesOf<typeof latestQuery>> & { readonly limit: number };

type Host = Static<typeof hostSchema>;

interface RecordText {
  readonly record: StoredRecord;
  readonly text: string;
}

interface GpuText {
  readonly gpu: FleetGpu;
  readonly status: Status;
  readonly text: string;
}

const rowsAtATime = 1000;

/** Limits of the cache of responses: for all callers without a selector, and for those with one selector. */
const cacheMax = { maxEntries: 64, maxCharacters: 128 * 1024 * 1024 };
const boundedCacheMax = { maxEntries: 16, maxCharacters: 4 * 1024 * 1024 };

/** Answers requests from the fleet in memory. Caches the JSON of each GPU and of each newest record until it changes, and JSON
 *  responses until the fleet changes. A client that already has the current JSON response gets a 304. */
export class FleetAnswers {
  private readonly recordTexts = new Map<string, RecordText>();
  private readonly gpuTexts = new Map<string, GpuText>();
  private readonly responses: ResponseCache;
  private newest: ReadonlyMap<string, number> = new Map();
  private newestVersion = NaN;

  /** @param isBounded true if the fleet is that of callers with a selector */
  constructor(
    readonly fleet: Fleet,
    isBounded = false,
  ) {
    const max = isBounded ? boundedCacheMax : cacheMax;
    this.responses = new ResponseCache({ ...max, version: () => (fleet.isLoaded ? fleet.version : NaN) });
  }

  /** Makes the texts of records before they are asked for: there are fewer of them at a time. */
  prepare(members: readonly FleetMember[]): void {
    for (const { record } of members) if (record !== undefined) this.recordText(record);
  }

  /** Answers a request with JSON, from the cache if it has the URL's response for the current fleet.
   *  @param makeText returns the body, which may depend only on the fleet and the request's URL
   *  @param isOfMoment true if the body also depends on the time of the request */
  answer(request: Request, makeText: () => string, isOfMoment = false): Response | Promise<Response> {
    const body = isOfMoment
      ? new CachedBody(makeText(), "application/json")
      : this.bodyOf(request.url.slice(request.url.indexOf("/", 8)), makeText);
    const { etag } = body;
    const headers = { etag, "cache-control": "no-cache", vary: "accept, accept-encoding" };
    if (matches(request.headers.get("if-none-match"), etag)) return new Response(null, { status: 304, headers });
    return body.answerTo(request, headers);
  }

  /** A whole list whose JSON is made from the fleet, in the format that the client accepts.
   *  @param makeText returns the list in the API's envelope
   *  @param schema of its elements */
  list(request: Request, schema: TObject, makeText: () => string): Response | Promise<Response> {
    const format = formatOf(request);
    if (format === "json") return this.answer(request, makeText);
    const { data: rows } = JSON.parse(makeText()) as { readonly data: readonly Row[] };
    const columns = filledColumns(schema, rows);
    return rowAnswer({ request, format, columns, schema, parts: inParts(rows), paging: { total: rows.length } });
  }

  /** The requested GPUs, in the format that the client accepts. */
  gpus(request: Request, query: ListValues): Response | Promise<Response> {
    const format = formatOf(request);
    if (format === "json") return this.answer(request, () => this.gpuList(query));
    const newest = this.newestByCluster();
    const { elements, ...page } = this.gpuPage(query);
    const rows = elements.map((gpu) => toApiGpu(gpu, newest.get(gpu.clusterId) ?? NaN));
    const columns = filledColumns(gpuSchema, rows);
    return rowAnswer({ request, format, columns, schema: gpuSchema, parts: inParts(rows), paging: pagingOf(page) });
  }

  /** The hosts of the requested GPUs, in the format that the client accepts. */
  hosts(request: Request, query: ListValues): Response | Promise<Response> {
    const format = formatOf(request);
    if (format === "json") return this.answer(request, () => this.hostList(query));
    const { elements: rows, ...page } = this.hostPage(query);
    const columns = filledColumns(hostSchema, rows);
    return rowAnswer({ request, format, columns, schema: hostSchema, parts: inParts(rows), paging: pagingOf(page) });
  }

  /** The requested newest records, in the format that the client accepts. */
  latest(request: Request, query: LatestValues): Response | Promise<Response> {
    const format = formatOf(request);
    if (format === "json") return this.answer(request, () => this.latestList(query), isRelative(query));
    const { metrics: choice } = query;
    const { elements, ...page } = this.latestPage(query);
    const { schema, shown } = recordForm(format);
    const rows = elements.map((record) => shown(narrowed(record, choice)));
    const columns = filledColumns(schema, rows, choice?.names);
    return rowAnswer({ request, format, columns, schema, parts: inParts(rows), paging: pagingOf(page) });
  }

  /** The requested GPUs, in the API's envelope. */
  gpuList(query: ListValues): string {
    return this.gpuPageText(this.gpuPage(query));
  }

  private gpuPage(query: ListValues): ListPage<FleetGpu> {
    const gpus = inState(this.fleet.gpus(selectorOf(query)), query.state);
    return pageOf(gpus, ({ hostname, gpuId, uuid }) => [hostname, gpuId, uuid], query);
  }

  /** The GPUs of a page, in the API's envelope. */
  gpuPageText({ elements, ...page }: Partial<ListPage<FleetGpu>> & Pick<ListPage<FleetGpu>, "elements">): string {
    return listText(
      elements.map((gpu) => this.gpuText(gpu)),
      page,
    );
  }

  private hostList(query: ListValues): string {
    const { elements, ...page } = this.hostPage(query);
    return listText(
      elements.map((host) => JSON.stringify(host)),
      page,
    );
  }

  /** The hosts of the GPUs, in the order of their first GPUs. */
  apiHosts(gpus: readonly FleetGpu[]): Host[] {
    return toApiHosts(gpus, this.newestByCluster(), this.fleet.hostStates);
  }

  /** The hosts that have at least one requested GPU, and are in the requested state. A host's figures cover all its GPUs. */
  private hostPage(query: ListValues): ListPage<Host> {
    const keyOf = ({ hostname, cluster_id }: Host) => [hostname, cluster_id];
    const requested = new Set(
      this.fleet.members(selectorOf(query)).map(({ gpu }) => JSON.stringify([gpu.hostname, gpu.clusterId])),
    );
    // hosts are identified by name and cluster: several clusters may have a host of the same name
    const hosts = inState(this.apiHosts(this.fleet.gpus({})), query.state)
      .filter((host) => requested.has(JSON.stringify(keyOf(host))))
      .sort((a, b) => comparePlaces(keyOf(a), keyOf(b)));
    return pageOf(hosts, keyOf, query);
  }

  /** One GPU, in the API's envelope. */
  singleGpu(gpu: FleetGpu): string {
    return `{"success":true,"count":1,"data":${this.gpuText(gpu)}}`;
  }

  /** The requested newest records, in the API's envelope; if they exceed the limit, the newest of them. */
  latestList(query: LatestValues): string {
    const { metrics: choice } = query;
    const textOf = (record: StoredRecord): string =>
      choice === undefined ? this.recordText(record) : JSON.stringify(toApiRecord(narrowed(record, choice)));
    const { elements, ...page } = this.latestPage(query);
    return listText(elements.map(textOf), page);
  }

  /** The newest requested records before the cursor, up to the limit: oldest first, records of the same instant in the fleet's order. With
   *  `order=desc`, the list is reversed. */
  private latestPage(query: LatestValues): ListPage<StoredRecord> {
    const range = timeRangeOf(query);
    const records: StoredRecord[] = [];
    for (const { record } of this.fleet.members(selectorOf(query))) {
      if (record !== undefined && record.timeMs >= range.fromMs && record.timeMs < range.toMs) records.push(record);
    }
    records.sort((a, b) => a.timeMs - b.timeMs);
    const { cursor } = query;
    const before = cursor === undefined ? records : records.filter((each) => comparePlaces(placeOf(each), cursor) < 0);
    const elements = before.slice(-query.limit);
    const [oldest] = elements;
    const next = before.length > elements.length && oldest !== undefined ? encodeCursor(placeOf(oldest)) : undefined;
    return { elements: query.order === "desc" ? elements.reverse() : elements, next, total: records.length };
  }

  /** Until when each cluster has reported, milliseconds since the epoch; at most the present. */
  newestByCluster(): ReadonlyMap<string, number> {
    if (this.newestVersion !== this.fleet.version) {
      this.newest = newestByCluster(this.fleet.gpus({}), this.fleet.nowMs());
      this.newestVersion = this.fleet.version;
    }
    return this.newest;
  }

  private recordText(record: StoredRecord): string {
    const { uuid } = record.gpu;
    const cached = this.recordTexts.get(uuid);
    if (cached?.record === record) return cached.text;
    const text = JSON.stringify(toApiRecord(record));
    this.recordTexts.set(uuid, { record, text });
    return text;
  }

  private gpuText(gpu: FleetGpu): string {
    const newestAtMs = this.newestByCluster().get(gpu.clusterId) ?? NaN;
    const status = statusOf(gpu.reportedAtMs, newestAtMs);
    const cached = this.gpuTexts.get(gpu.uuid);
    if (cached?.gpu === gpu && cached.status === status) return cached.text;
    const text = JSON.stringify(toApiGpu(gpu, newestAtMs));
    this.gpuTexts.set(gpu.uuid, { gpu, status, text });
    return text;
  }

  private bodyOf(key: string, makeText: () => string): CachedBody {
    const cached = this.responses.get(key);
    if (cached !== undefined) return cached;
    const { version } = this.responses;
    const body = new CachedBody(makeText(), "application/json");
    this.responses.set(key, body, version);
    return body;
  }
}

/** Splits rows into parts, so that they are serialised only as fast as the client reads. */
async function* inParts(rows: readonly Row[]): AsyncGenerator<readonly Row[], void> {
  for (let from = 0; from < rows.length; from += rowsAtATime) {
    yield await Promise.resolve(rows.slice(from, from + rowsAtATime));
  }
}

function listText(texts: readonly string[], { next, total }: Partial<Page>): string {
  const head = { success: true, count: texts.length, ...defined({ total, next_cursor: next }) };
  return `${JSON.stringify(head).slice(0, -1)},"data":[${texts.join(",")}]}`;
}

type Page = Omit<ListPage<unknown>, "elements">;

function pagingOf({ next, total }: Page): Paging {
  return { total, next_cursor: next };
}

/** The place of a newest record in their order. */
function placeOf({ timeMs, gpu }: StoredRecord): Place {
  return [timeMs, gpu.hostname, gpu.gpuId, gpu.uuid];
}

function isRelative({ start_time: start, end_time: end }: LatestValues): boolean {
  return [start, end].some((bound) => bound !== undefined && isRelativeTime(bound.text));
}

/** Source: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 (a weak comparison; `*` matches any answer) */
function matches(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  const weakly = (each: string): string => each.trim().replace(/^W\//, "");
  return ifNoneMatch.split(",").some((each) => ["*", weakly(etag)].includes(weakly(each)));
}
