import type { StoredGpu, StoredRecord } from "../domain/query.ts";
import type { Fleet } from "../pipeline/hot/fleet.ts";
import type { TelemetryRange } from "./parameters.ts";
import { type Status, statusOf } from "./schemas/activity.ts";
import { toApiGpu } from "./schemas/gpu.ts";
import { newestByCluster } from "./schemas/hierarchy.ts";
import { toApiRecord } from "./schemas/telemetry-record.ts";

interface Answer {
  /** A text that is ASCII is sent as it is in memory; a buffer would be copied at each answer. */
  readonly text: string;
  readonly etag: string;
}

interface GpuText {
  readonly gpu: StoredGpu;
  readonly status: Status;
  readonly text: string;
}

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
  answer(request: Request, makeText: () => string): Response {
    const { text, etag } = this.answerTo(request.url.slice(request.url.indexOf("/", 8)), makeText);
    const headers = { etag, "cache-control": "no-cache" };
    if (isKnown(request.headers.get("if-none-match"), etag)) return new Response(null, { status: 304, headers });
    return new Response(text, { headers: { ...headers, "content-type": "application/json" } });
  }

  /** The list of these GPUs, in the API's envelope. */
  gpuList(gpus: readonly StoredGpu[]): string {
    return listText(gpus.map((gpu) => this.gpuText(gpu)));
  }

  /** One GPU, in the API's envelope. */
  singleGpu(gpu: StoredGpu): string {
    return `{"success":true,"count":1,"data":${this.gpuText(gpu)}}`;
  }

  /** The newest records in the range, oldest first; the newest where there are more than the limit. Equal times keep
   *  the fleet's order. */
  latestList({ startMs = -Infinity, endMs = Infinity, limit }: TelemetryRange): string {
    const records: StoredRecord[] = [];
    for (const { record } of this.fleet.members()) {
      if (record !== undefined && record.timeMs >= startMs && record.timeMs <= endMs) records.push(record);
    }
    records.sort((a, b) => a.timeMs - b.timeMs);
    return listText(records.slice(-limit).map(({ gpu }) => this.recordTexts.get(gpu.uuid) as string));
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
    const answer = { text, etag: `"${Bun.hash(text).toString(16)}"` };
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

function listText(texts: readonly string[]): string {
  return `{"success":true,"count":${texts.length},"data":[${texts.join(",")}]}`;
}

/** Source: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 (a weak comparison, `*` for any) */
function isKnown(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  return ifNoneMatch.split(",").some((each) => ["*", etag].includes(each.trim().replace(/^W\//, "")));
}
