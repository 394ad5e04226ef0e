import { answerOf, type paths, type TelemetryRecord } from "gpu-telemetry-client";
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
import { print, printError, printText } from "../../src/terminal/print.ts";

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
  const cursor = answer.next_cursor;
  if (cursor !== undefined && limit === undefined) printError(await olderText(output, data, { ...query, cursor }));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const rows = data.map(rowOf);
  const places = gpu === undefined ? ["gpu_id", ...columnsIn(data, migColumns)] : [];
  const hasWorkloads = rows.some(({ workload }) => workload !== "");
  const layout = (shown: readonly string[], isWide = hasWorkloads): readonly NarrowColumn[] => [
    { name: "timestamp" },
    ...(gpu === undefined ? [{ name: "hostname", wraps: true }] : []),
    ...[...places, ...shown].map((name) => ({ name })),
    ...(isWide ? [{ name: "workload", wraps: true }] : []),
  ];
  const present = metrics === undefined ? await presentMetrics(output, data) : columnsOfMetrics(metrics, data);
  // if there is room for one of them only, metrics are worth more than workloads
  const isWide = hasWorkloads && fitsNarrow(rows, layout(present.slice(0, 1)));
  let count = present.length;
  while (metrics === undefined && count > 1 && !fitsNarrow(rows, layout(present.slice(0, count), isWide))) count -= 1;
  printNarrow(rows, layout(present.slice(0, count), isWide));
  print(`${rows.length} ${rows.length === 1 ? "record" : "records"}`);
  if (isWide !== hasWorkloads) print("no room for workloads: --json has them");
  if (count < present.length) {
    printText(`${present.length - count} more metrics: --metrics chooses among them, --json has all`);
  }
}

/** The most records of an answer. */
const pageMax = 10_000;

/** How many records there are in all, as far as one more request tells, and how to see them.
 *  @param older the query for the records before those that are shown */
async function olderText(
  { gateway }: Output,
  shown: readonly TelemetryRecord[],
  older: NonNullable<paths["/api/v1/telemetry"]["get"]["parameters"]["query"]>,
): Promise<string> {
  const rest = await answerOf(gateway.GET("/api/v1/telemetry", { params: { query: { ...older, limit: pageMax } } }));
  const total = shown.length + rest.data.length;
  const oldest = shown[0]?.timestamp ?? "";
  if (rest.next_cursor !== undefined || total > pageMax) {
    const more = rest.next_cursor === undefined ? total : `more than ${total}`;
    return `the newest ${shown.length} of ${more} records; --end ${oldest} shows older ones, --limit up to ${pageMax}`;
  }
  return `the newest ${shown.length} of ${total} records; --end ${oldest} shows older ones, --limit ${total} all`;
}
