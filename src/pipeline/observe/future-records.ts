import { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import { Counter, type Registry } from "prom-client";
import { quoted } from "../../domain/cut-text.ts";
import { futureRecordsOf } from "../../domain/future-records.ts";
import { formatTimestamp } from "../../domain/timestamp.ts";
import type { Clock } from "../../kit/clock.ts";
import { type PipelineListener, silentListener } from "./pipeline-listener.ts";

/** Sources of which it is remembered that the log names them. */
const sourcesMax = 1000;
/** The log names a source again after so long. */
const logIntervalMs = 3_600_000;

/** Counts records whose times are in the future, and logs the first one of each source, once an hour. */
export function futureRecords({
  registry,
  log,
  clock,
}: {
  readonly registry: Registry;
  readonly log: Pick<Logger, "warn">;
  readonly clock: Pick<Clock, "nowMs">;
}): PipelineListener {
  const loggedAtMs = new LRUCache<string, number>({ max: sourcesMax });
  const counter = new Counter({
    name: "telemetry_future_records_total",
    help: "Records that this process has stored although their times were more than 5 minutes in the future",
    registers: [registry],
  });
  return {
    ...silentListener,
    stored: ({ batch, source: { sourceId } }) => {
      const nowMs = clock.nowMs();
      const future = futureRecordsOf(batch, nowMs);
      if (future === undefined) return;
      counter.inc(future.count);
      if (nowMs - (loggedAtMs.get(sourceId) ?? -Infinity) < logIntervalMs) return;
      loggedAtMs.set(sourceId, nowMs);
      log.warn(
        { source: sourceId, records: future.count },
        `records have times in the future, such as ${formatTimestamp(future.timeMs)} of ${quoted(future.uuid)} on ${quoted(future.hostname)}, and are stored there: correct the sender's clock or time zone`,
      );
    },
  };
}
