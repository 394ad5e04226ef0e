import type { RecordFilter } from "../domain/query.ts";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { toApiRecord } from "./schemas/telemetry-record.ts";

/** Records in the API's shape, oldest first. */
export async function telemetryOf(queries: TelemetryQueries, filter: RecordFilter) {
  return (await queries.records(filter)).elements.map(toApiRecord);
}
