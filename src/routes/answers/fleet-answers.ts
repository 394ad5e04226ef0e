import type { Static } from "@sinclair/typebox";
import type { StoredGpu, StoredRecord } from "../../domain/query.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { metricsOf, narrowed } from "../http/filters.ts";
import { gpuColumns, hostColumns, recordColumns, type Row } from "../http/formats/columns.ts";
import { compressed, compressMinBytes } from "../http/formats/compress.ts";
import { encodingOf, type Encoding, formatOf } from "../http/formats/negotiate.ts";
import { rowAnswer } from "../http/formats/row-answer.ts";
import { compareKeys, type ListPage, pageOf } from "../http/list-page.ts";
import { type gpuListQuery, type latestQuery, rangeOf } from "../http/parameters.ts";
import { type Status, statusOf } from "../schemas/activity.ts";
import { toApiGpu } from "../schemas/gpu.ts";
import { selectorOf } from "../schemas/gpu-selector.ts";
import { type hostSchema, newestByCluster, toApiHosts } from "../schemas/hierarchy.ts";
import { toApiRecord } from "../schemas/telemetry-record.ts";

type LatestQuery = Static<typeof latestQuery>;

type Host = Static<typeof hostSchema>;

interface Answer {
  /** A text that is ASCII is sent as it is in memory; a buffer would be copied at each answer. */
  readonly text: string;
  readonly etag: string;
  /** Made when it is first asked for. */
  readonly compressed: Map<Encoding, Promise<Uint8Array<ArrayBuffer>>>;
}

interface GpuText {
  readonly gpu: StoredGpu;
  readonly status: Status;
  readonly text: string;
}

const rowsAtATime = 1000;

/** Answers that are kept until the fleet changes: so many at most, and so many characters of them. */
const keptMax = 64;
const keptMaxLength = 64 * 1024 * 1024;

/** Answers out of the fleet's memory. A record is serialised once, when it comes; a GPU once a change, when it is asked
 *  for; an answer is put together once and kept until something changes. Whoever has it already is told so (304). */
export class FleetAnswers {
  private readonly recordTexts = new Map<string, string>();
  private readonly gpuTexts = new Map<string, GpuText>();
  private kept = new Map<string, Answer>();
  private keptLength = 0;
  private keptVersion = NaN;
  private newest: ReadonlyMap<string, number> = new Map();
  private newestVersion = NaN;

  constructor(readonly fleet: Fleet) {
    fleet.onMembers((members) => {
      for (const { gpu, record } of members) {
        if (record !== undefined) this.recordTexts.set(gpu.uuid, JSON.stringify(toApiRecord(record)));
      }
    });
  }

  /** Answers a request, from what is kept where nothing has changed since.
   *  @param makeText the body, JSON; made from nothing but the fleet and the request's URL */
  answer(request: Request, makeText: () => string): Response | Promise<Response> {
    const answer = this.answerTo(request.url.slice(request.url.indexOf("/", 8)), makeText);
    const { text, etag } = answer;
    const headers = { etag, "cache-control": "no-cache", vary: "accept, accept-encoding" };
    if (isKnown(request.headers.get("if-none-match"), etag)) return new Response(null, { status: 304, headers });
    const encoding = text.length < compressMinBytes ? undefined : encodingOf(request);
    if (encoding !== undefined) return compressedAnswer(answer, encoding, headers);
    return new Response(text, { headers: { ...headers, "content-type": "application/json" } });
  }

  /** The GPUs that are asked for, in the form that the client takes. */
  gpus(request: Request, query: Static<typeof gpuListQuery>): Response | Promise<Response> {
    const format = formatOf(request);
    if (format === "json") return this.answer(request, () => this.gpuList(query));
    const newest = this.newestByCluster();
    const rows = this.gpuPage(query).elements.map((gpu) => toApiGpu(gpu, newest.get(gpu.clusterId) ?? NaN));
    return rowAnswer({ request, format, columns: gpuColumns, parts: inParts(rows) });
  }

  /** The hosts of the GPUs that are asked for, in the form that the client takes. */
  hosts(request: Request, query: Static<typeof gpuListQuery>): Response | Promise<Response> {
    const format = formatOf(request);
    if (format === "json") return this.answer(request, () => this.hostList(query));
    return rowAnswer({ request, format, columns: hostColumns, parts: inParts(this.hostPage(query).elements) });
  }

  /** The newest records that are asked for, in the form that the client takes. */
  latest(request: Request, query: LatestQuery): Response | Promise<Response> {
    const format = formatOf(request);
    if (format === "json") return this.answer(request, () => this.latestList(query));
    const names = namesOf(query);
    const rows = this.latestRecords(query).map((record) => toApiRecord(narrowed(record, names)));
    return rowAnswer({ request, format, columns: recordColumns(names), parts: inParts(rows) });
  }

  /** The GPUs that are asked for, in the API's envelope. */
  gpuList(query: Static<typeof gpuListQuery>): string {
    return this.gpusList(this.gpuPage(query));
  }

  private gpuPage(query: Static<typeof gpuListQuery>): ListPage<StoredGpu> {
    const gpus = this.fleet.members(selectorOf(query)).map(({ gpu }) => gpu);
    return pageOf(gpus, ({ hostname, gpuId, uuid }) => [hostname, gpuId, uuid], query);
  }

  /** These GPUs, in the API's envelope. */
  gpusList({ elements, next }: ListPage<StoredGpu>): string {
    return listText(
      elements.map((gpu) => this.gpuText(gpu)),
      next,
    );
  }

  private hostList(query: Static<typeof gpuListQuery>): string {
    const { elements, next } = this.hostPage(query);
    return listText(
      elements.map((host) => JSON.stringify(host)),
      next,
    );
  }

  /** Hosts with a GPU that is asked for; their figures are those of all their GPUs. */
  private hostPage(query: Static<typeof gpuListQuery>): ListPage<Host> {
    const keyOf = ({ hostname, cluster_id }: Host) => [hostname, cluster_id];
    const asked = new Set(
      this.fleet.members(selectorOf(query)).map(({ gpu }) => JSON.stringify([gpu.hostname, gpu.clusterId])),
    );
    // several clusters may have a host of the same name
    const hosts = toApiHosts(this.fleet.gpus({}), this.newestByCluster())
      .filter((host) => asked.has(JSON.stringify(keyOf(host))))
      .sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
    return pageOf(hosts, keyOf, query);
  }

  /** One GPU, in the API's envelope. */
  singleGpu(gpu: StoredGpu): string {
    return `{"success":true,"count":1,"data":${this.gpuText(gpu)}}`;
  }

  /** The newest records that are asked for; the newest of them where there are more than the limit. */
  latestList(query: LatestQuery): string {
    const names = namesOf(query);
    const textOf = (record: StoredRecord): string =>
      names === undefined
        ? (this.recordTexts.get(record.gpu.uuid) as string)
        : JSON.stringify(toApiRecord(narrowed(record, names)));
    return listText(this.latestRecords(query).map(textOf));
  }

  /** Oldest first unless asked otherwise; equal times keep the fleet's order. */
  private latestRecords(query: LatestQuery): StoredRecord[] {
    const { range, limit } = rangeOf(query);
    const records: StoredRecord[] = [];
    for (const { record } of this.fleet.members(selectorOf(query))) {
      if (record !== undefined && record.timeMs >= range.fromMs && record.timeMs < range.toMs) records.push(record);
    }
    records.sort((a, b) => a.timeMs - b.timeMs);
    const newest = records.slice(-limit);
    return query.order === "desc" ? newest.reverse() : newest;
  }

  /** When the newest record of each cluster was measured, milliseconds since the epoch. */
  newestByCluster(): ReadonlyMap<string, number> {
    if (this.newestVersion !== this.fleet.version) {
      this.newest = newestByCluster(this.fleet.gpus({}));
      this.newestVersion = this.fleet.version;
    }
    return this.newest;
  }

  private gpuText(gpu: StoredGpu): string {
    const newestAtMs = this.newestByCluster().get(gpu.clusterId) ?? NaN;
    const status = statusOf(gpu.lastSeenAtMs, newestAtMs);
    const known = this.gpuTexts.get(gpu.uuid);
    if (known?.gpu === gpu && known.status === status) return known.text;
    const text = JSON.stringify(toApiGpu(gpu, newestAtMs));
    this.gpuTexts.set(gpu.uuid, { gpu, status, text });
    return text;
  }

  private answerTo(key: string, makeText: () => string): Answer {
    if (this.keptVersion !== this.fleet.version || !this.fleet.isLoaded) {
      this.kept.clear();
      this.keptLength = 0;
      this.keptVersion = this.fleet.version;
    }
    const kept = this.kept.get(key);
    if (kept !== undefined) return kept;
    const text = makeText();
    // weak: the same whether compressed or not
    const answer: Answer = { text, etag: `W/"${Bun.hash(text).toString(16)}"`, compressed: new Map() };
    this.kept.set(key, answer);
    this.keptLength += text.length;
    for (const [oldest, { text: oldestText }] of this.kept) {
      if (oldest === key || (this.kept.size <= keptMax && this.keptLength <= keptMaxLength)) break;
      this.kept.delete(oldest);
      this.keptLength -= oldestText.length;
    }
    return answer;
  }
}

async function compressedAnswer(
  { text, compressed: known }: Answer,
  encoding: Encoding,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  let body = known.get(encoding);
  if (body === undefined) known.set(encoding, (body = compressed(text, encoding)));
  const all = { ...headers, "content-type": "application/json", "content-encoding": encoding };
  return new Response(await body, { headers: all });
}

/** Rows that are in memory, some at a time: the client gets them as fast as it takes them. */
async function* inParts(rows: readonly Row[]): AsyncGenerator<readonly Row[], void> {
  for (let from = 0; from < rows.length; from += rowsAtATime) {
    yield await Promise.resolve(rows.slice(from, from + rowsAtATime));
  }
}

function namesOf({ metrics }: LatestQuery): readonly string[] | undefined {
  return metrics === undefined ? undefined : metricsOf(metrics);
}

function listText(texts: readonly string[], next?: string): string {
  const more = next === undefined ? "" : `"next_cursor":${JSON.stringify(next)},`;
  return `{"success":true,"count":${texts.length},${more}"data":[${texts.join(",")}]}`;
}

/** Source: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 (a weak comparison, `*` for any) */
function isKnown(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  const weakly = (each: string): string => each.trim().replace(/^W\//, "");
  return ifNoneMatch.split(",").some((each) => ["*", weakly(etag)].includes(weakly(each)));
}
