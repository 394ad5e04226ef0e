import { gatewayInit } from "../gateway/gateway-init.ts";
import { unreachableHint } from "../gateway/unreachable-hint.ts";
import { TelemetryError } from "../../src/domain/errors.ts";
import { type Occupants, occupantsOf, type Workload } from "../../src/domain/gpu.ts";
import type { StoredRejection } from "../../src/domain/query.ts";
import { formatTimestamp, parseTimestamp } from "../../src/domain/timestamp.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { defined } from "../../src/kit/defined.ts";
import { messageOf } from "../../src/kit/message-of.ts";
import type { ChooseId } from "../../src/pipeline/source/file-ids.ts";
import type { TelemetryQueries } from "../../src/pipeline/store/telemetry-queries.ts";

/** A record as verify compares it: its GPU, its instant, its workloads, and every value by the name of its metric or series. */
export interface ComparableRecord {
  readonly uuid: string;
  readonly timeMs: number;
  readonly clusterId: string;
  readonly hostname: string;
  readonly gpuId: number;
  readonly occupants: Occupants;
  readonly values: ReadonlyMap<string, number>;
}

/** A GPU, and a range of instants in milliseconds. */
export interface Window {
  readonly uuid: string;
  readonly startMs: number;
  readonly endMs: number;
}

/** A rejected input as verify compares it. */
export type StoredRejectedInput = Pick<StoredRejection, "id" | "sourceId" | "reason" | "field" | "value" | "raw">;

/** Reads stored records, from the store itself or from a gateway. */
export interface StoredRecords {
  /** Every stored record of the window's GPU from `startMs` to `endMs`, both included. */
  recordsOf(window: Window): Promise<ComparableRecord[]>;
  /** The number of a source's rejected inputs that `isComparable` accepts, among the newest `pageLimit` ones. If there are more of
   *  them, `pageLimit`. */
  countRejections(sourceId: string): Promise<number>;
  /** Up to `pageLimit` rejected inputs of all sources, the newest first.
   *  @param beforeId only those before the one with this id; undefined: from the newest on */
  rejections(beforeId: number | undefined): Promise<readonly StoredRejectedInput[]>;
}

/** Chooses the id under which the store has a file's rejected inputs: a file of which an earlier version has read a part keeps its id. */
export function idInStore({ countRejections }: Pick<StoredRecords, "countRejections">): ChooseId {
  return async ({ id, earlierId }) => {
    const isBegun = async (sourceId: string): Promise<boolean> => (await countRejections(sourceId)) > 0;
    return !(await isBegun(id)) && (await isBegun(earlierId)) ? earlierId : id;
  };
}

/** The API's largest page. */
export const pageLimit = 10_000;

/** False for a reason whose number of rejected inputs depends on the batches: a row that meets another host's in its batch is rejected
 *  on its own, and a record that meets a stored one as a whole. */
export function isComparable({ reason }: { readonly reason: string }): boolean {
  return reason !== "uuid_on_two_hosts";
}

function comparableCount(rejections: readonly { readonly reason: string }[]): number {
  return rejections.length === pageLimit ? pageLimit : rejections.filter(isComparable).length;
}

/** Reads from the store itself. */
export function recordsInStore(queries: TelemetryQueries): StoredRecords {
  return {
    recordsOf: (window) =>
      paged(window, async ({ uuid, startMs, endMs }) => {
        const { elements: records } = await queries.history.records({
          gpus: { uuids: [uuid] },
          range: { fromMs: startMs, toMs: endMs + 1 },
          limit: pageLimit,
        });
        return records.map(({ gpu, timeMs, metrics: values, custom, occupants }) => ({
          uuid: gpu.uuid,
          clusterId: gpu.clusterId,
          hostname: gpu.hostname,
          gpuId: gpu.gpuId,
          timeMs,
          occupants,
          values: new Map(Object.entries({ ...values, ...custom })),
        }));
      }),
    countRejections: async (sourceId) =>
      comparableCount(await queries.quarantine.rejections({ sourceId, limit: pageLimit })),
    rejections: (beforeId) => queries.quarantine.rejections({ limit: pageLimit, ...defined({ beforeId }) }),
  };
}

type ApiRecord = Record<string, unknown> & {
  uuid: string;
  cluster_id: string;
  hostname: string;
  gpu_id: string;
  timestamp: string;
  custom?: Record<string, number>;
  container?: string;
  pod?: string;
  namespace?: string;
  occupants?: Workload[];
};

type ApiRejection = Omit<StoredRejectedInput, "sourceId"> & { readonly source_id: string };

/** A gateway does not answer, or refuses a question; the message has its URL. */
class GatewayFailed extends TelemetryError {
  readonly code = "gateway_failed";
  readonly retryable = true;
}

/** Reads from a running gateway; its questions throw GatewayFailed.
 *  @param url the gateway's URL, such as `http://localhost:8080` */
export function recordsBehindApi(url: string): StoredRecords {
  const get = async <T>(path: string): Promise<T[]> => {
    const response = await fetch(`${url}${path}`, gatewayInit(process.env)).catch((cause: unknown) => {
      const reason = messageOf(cause);
      throw new GatewayFailed(
        `no gateway answers at ${url} (${reason})${unreachableHint(url, reason)}: start it there, or give the URL of a running one with --url, or its HOST and PORT`,
        { cause },
      );
    });
    const text = await response.text();
    if (response.status === 404 && isUnknownGpu(text)) return [];
    if (!response.ok) throw new GatewayFailed(`${url}${path} answered ${response.status}: ${text}`);
    return (JSON.parse(text) as { data: T[] }).data;
  };
  return {
    recordsOf: (window) =>
      paged(window, async ({ uuid, startMs, endMs }) => {
        const times = `start_time=${formatTimestamp(startMs)}&end_time=${formatTimestamp(endMs)}`;
        const path = `/api/v1/gpus/${encodeURIComponent(uuid)}/telemetry?${times}&limit=${pageLimit}`;
        return (await get<ApiRecord>(path)).map(fromApi);
      }),
    countRejections: async (sourceId) =>
      comparableCount(await get(`/api/v1/quarantine?source_id=${encodeURIComponent(sourceId)}&limit=${pageLimit}`)),
    rejections: async (beforeId) => {
      const cursor = beforeId === undefined ? "" : `&cursor=${beforeId}`;
      const page = await get<ApiRejection>(`/api/v1/quarantine?limit=${pageLimit}${cursor}`);
      return page.map(({ source_id: sourceId, ...input }) => ({ ...input, sourceId }));
    },
  };
}

/** False if the server that answered 404 has no such path: it is no gateway. */
function isUnknownGpu(text: string): boolean {
  try {
    const { error } = JSON.parse(text) as { error?: { details?: { resource?: unknown } } } | { error?: undefined };
    return error?.details?.resource === "GPU";
  } catch {
    return false;
  }
}

function fromApi(record: ApiRecord): ComparableRecord {
  const values = new Map<string, number>(Object.entries(record.custom ?? {}));
  for (const { name } of metrics) {
    const value = record[name];
    if (typeof value === "number") values.set(name, value);
  }
  const time = parseTimestamp(record.timestamp);
  if ("reason" in time) throw new Error(`the API returned the invalid timestamp ${record.timestamp}`);
  const {
    uuid,
    hostname,
    container = "",
    pod = "",
    namespace = "",
    occupants = [{ container, pod, namespace }],
  } = record;
  return {
    uuid,
    clusterId: record.cluster_id,
    hostname,
    gpuId: Number(record.gpu_id),
    timeMs: time.ms,
    occupants: occupantsOf(occupants),
    values,
  };
}

/** Reads pages from the newest to the oldest, until a page is not full or reaches the window's start. */
async function paged(
  window: Window,
  page: (window: Window) => Promise<ComparableRecord[]>,
): Promise<ComparableRecord[]> {
  const all: ComparableRecord[] = [];
  let endMs = window.endMs;
  for (;;) {
    const records = await page({ ...window, endMs });
    all.push(...records);
    const oldest = records[0];
    if (records.length < pageLimit || oldest === undefined || oldest.timeMs <= window.startMs) return all;
    endMs = oldest.timeMs - 1;
  }
}
