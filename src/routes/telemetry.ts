import { Elysia } from "elysia";
import type { StoredRecord } from "../domain/query.ts";
import type { TelemetryQueries } from "../pipeline/store/telemetry-queries.ts";
import { operation } from "./docs/operation.ts";
import { telemetryOf } from "./fleet.ts";
import { accepts, rangeOf, telemetryQuery, type TelemetryRange } from "./parameters.ts";
import { list } from "./schemas/envelope.ts";
import { toApiRecord } from "./schemas/telemetry-record.ts";

/** Records of all GPUs. */
export function telemetryRoutes(queries: TelemetryQueries) {
  return new Elysia({ name: "telemetry", prefix: "/api/v1/telemetry" })
    .get("", async ({ query }) => list(await telemetryOf(queries, rangeOf(query))), {
      ...accepts(telemetryQuery),
      detail: allDetail,
    })
    .get(
      "/latest",
      async ({ query }) => {
        const range = rangeOf(query);
        return list(newestOf(await queries.latest({}), range).map(toApiRecord));
      },
      { ...accepts(telemetryQuery), detail: latestDetail },
    );
}

/** Those in the range, oldest first; the newest where there are more than the limit. Equal times keep their order. */
function newestOf(records: readonly StoredRecord[], { startMs = -Infinity, endMs = Infinity, limit }: TelemetryRange) {
  return records
    .filter(({ timeMs }) => timeMs >= startMs && timeMs <= endMs)
    .sort((a, b) => a.timeMs - b.timeMs)
    .slice(-limit);
}

const allDetail = operation({
  id: "listTelemetry",
  tag: "telemetry",
  summary: "Telemetry of all GPUs",
  description: "Records in the range, oldest first; where there are more than limit, the newest ones of them.",
  list: "TelemetryRecord",
  faults: [400, 500, 503],
});

const latestDetail = operation({
  id: "listLatestTelemetry",
  tag: "telemetry",
  summary: "Newest record of every GPU",
  description:
    "The newest record of each GPU where it lies in the range, oldest first. Like everywhere, at most limit of them, " +
    "the newest: ask for as many as there are GPUs.",
  list: "TelemetryRecord",
  faults: [400, 500, 503],
});
