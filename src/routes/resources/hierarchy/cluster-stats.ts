import type { HistoryPage, StoredRecord } from "../../../domain/query.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { defined } from "../../../kit/defined.ts";
import type { Fleet } from "../../fleet/fleet.ts";
import type { CallerQueries } from "../../../pipeline/store/bounded-queries.ts";
import { activeLagMs } from "../../schemas/activity.ts";
import { type ClusterStats, metricSummariesOf, sufficeForStats } from "./cluster-stats-schema.ts";
import type { FleetGpu } from "../../schemas/gpu.ts";
import { newestByCluster, toApiClusters } from "../../schemas/hierarchy.ts";

/** The number of records that one query reads from the store, and the maximum number of queries. */
const pageRecords = 10_000;
const maxPages = 10;

interface StatsSources {
  readonly fleet: Fleet;
  readonly queries: CallerQueries;
}

/** Statistics of a cluster; undefined if it has no GPU.
 *  @param gpus all GPUs of the cluster
 *  @throws StoreUnavailable if the fleet is not loaded, or the store does not answer
 *  @throws QueryTooCostly if the store's queries take too long */
export async function clusterStats(
  sources: StatsSources,
  gpus: readonly FleetGpu[],
): Promise<ClusterStats | undefined> {
  const newest = newestByCluster(gpus, sources.fleet.nowMs());
  const [cluster] = toApiClusters(gpus, newest);
  if (cluster === undefined) return undefined;
  const [{ records, cutAtMs }, { count, isEstimate }] = await Promise.all([
    newestRecords(sources, cluster.id, newest.get(cluster.id) ?? NaN),
    sources.queries.aggregates.countRecords(cluster.id),
  ]);
  const { id, host_count, gpu_count, active_gpu_count, silent_gpu_count, decommissioned_gpu_count, last_seen_at } =
    cluster;
  const { mig_instances, active_mig_instances } = cluster;
  return {
    cluster_id: id,
    host_count,
    gpu_count,
    active_gpu_count,
    silent_gpu_count,
    decommissioned_gpu_count,
    ...defined({ mig_instances, active_mig_instances }),
    record_count: count,
    ...(isEstimate ? { record_count_is_estimate: true as const } : {}),
    newest_record_at: last_seen_at,
    ...(cutAtMs === undefined ? {} : { values_cut_at: formatTimestamp(cutAtMs) }),
    ...metricSummariesOf(records),
  };
}

interface NewestRecords {
  /** Those of each GPU are in the order of time. */
  readonly records: readonly StoredRecord[];
  /** The instant of the oldest of these records, if older ones were left out. */
  readonly cutAtMs?: number;
}

/** Records with the newest values of the active GPUs. They come from memory if each of these GPUs has all metrics of the
 *  statistics in its newest record. An exporter that stamps its metrics at different seconds spreads them over several
 *  records; the recent records then come from the store. */
async function newestRecords(
  { fleet, queries }: StatsSources,
  clusterId: string,
  newestAtMs: number,
): Promise<NewestRecords> {
  const fromMs = newestAtMs - activeLagMs;
  const active = fleet.members({ clusterId }).filter(({ gpu }) => gpu.reportedAtMs >= fromMs);
  const newest = active.flatMap(({ record }) => (record !== undefined && record.timeMs >= fromMs ? [record] : []));
  if (sufficeForStats(newest)) return { records: newest };
  const uuids = new Set(active.map(({ gpu }) => gpu.uuid));
  const filter = { gpus: { clusterId }, range: { fromMs, toMs: Infinity }, limit: pageRecords };
  let { elements: records, next } = await queries.history.records(filter);
  for (let pages = 1; next !== undefined && pages < maxPages; pages += 1) {
    const older: HistoryPage<StoredRecord> = await queries.history.records({ ...filter, cursor: next });
    records = [...older.elements, ...records];
    next = older.next;
  }
  // of a GPU that no longer reports, there may be records of the future
  return { records: records.filter(({ gpu }) => uuids.has(gpu.uuid)), ...defined({ cutAtMs: next?.timeMs }) };
}
