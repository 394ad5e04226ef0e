import type { GpuFilter, RecordFilter } from "../domain/query.ts";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { toApiGpu } from "./schemas/gpu.ts";
import { toApiRecord } from "./schemas/telemetry-record.ts";

/** GPUs of one cluster in the API's shape.
 *  @param filter one that only GPUs of one cluster can fit */
export async function gpusWithStatus(queries: TelemetryQueries, filter: GpuFilter) {
  const gpus = await queries.gpus(filter);
  const [first] = gpus;
  if (first === undefined) return [];
  const newestAtMs = await newestRecordAt(queries, first.clusterId);
  return gpus.map((gpu) => toApiGpu(gpu, newestAtMs));
}

/** When the newest record of a cluster was measured, milliseconds since the epoch; NaN where it has none. */
export async function newestRecordAt(queries: TelemetryQueries, clusterId: string): Promise<number> {
  const [newest] = (await queries.records({ clusterId, limit: 1 })).elements;
  return newest?.timeMs ?? NaN;
}

/** Records in the API's shape, oldest first. */
export async function telemetryOf(queries: TelemetryQueries, filter: RecordFilter) {
  return (await queries.records(filter)).elements.map(toApiRecord);
}
