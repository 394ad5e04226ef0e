import { answerOf } from "gpu-telemetry-client";
import { defined } from "../../src/kit/defined.ts";
import {
  checkGpus,
  columnsIn,
  columnsOfMetrics,
  type Filters,
  migColumns,
  presentMetrics,
  queryOf,
  rowOf,
} from "./fleet.ts";
import { fitsNarrow, type NarrowColumn, printNarrow } from "./narrow-table.ts";
import type { Output } from "./output.ts";
import { print, printError } from "../../src/terminal/print.ts";

/** The bounds of a range of time as typed: RFC 3339 with zone, or a time from now. */
export interface TimeOptions {
  readonly start?: string;
  readonly end?: string;
}

interface HistoryOptions extends Filters, TimeOptions {
  readonly metrics?: string;
  readonly resolution?: string;
}

/** The bounds under the API's names, without those that are undefined. */
export const rangeOf = ({ start, end }: TimeOptions) => defined({ start_time: start, end_time: end });

/** Shows the records of a range of time, oldest first; the newest ones if there are more than the limit.
 *  @throws GatewayError, GatewayUnreachable */
export async function history(output: Output, options: HistoryOptions): Promise<void> {
  await checkGpus(output, options);
  const { metrics, resolution, gpu, limit } = options;
  const chosen = defined({ metrics, resolution: resolution as "1m" | undefined });
  const query = { ...queryOf(options), ...rangeOf(options), ...chosen };
  const answer = await answerOf(output.gateway.GET("/api/v1/telemetry", { params: { query } }));
  const { data } = answer;
  if (answer.next_cursor !== undefined && limit === undefined) {
    printError("these are the newest records; --end, or a higher --limit (up to 10000), shows older ones");
  }
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const rows = data.map(rowOf);
  const places = gpu === undefined ? ["gpu_id", ...columnsIn(data, migColumns)] : [];
  const layout = (shown: readonly string[]): readonly NarrowColumn[] => [
    { name: "timestamp" },
    ...(gpu === undefined ? [{ name: "hostname", wraps: true }] : []),
    ...[...places, ...shown].map((name) => ({ name })),
    ...(rows.some(({ workload }) => workload !== "") ? [{ name: "workload", wraps: true }] : []),
  ];
  const present = metrics === undefined ? await presentMetrics(output, data) : columnsOfMetrics(metrics, data);
  let count = present.length;
  while (metrics === undefined && count > 1 && !fitsNarrow(rows, layout(present.slice(0, count)))) count -= 1;
  printNarrow(rows, layout(present.slice(0, count)));
  print(`${rows.length} ${rows.length === 1 ? "record" : "records"}`);
  if (count < present.length) {
    print(`${present.length - count} more metrics: --metrics chooses among them, --json has all`);
  }
}
