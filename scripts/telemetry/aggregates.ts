import { type Command, Option } from "commander";
import { answerOf, type paths } from "gpu-telemetry-client";
import { groupings } from "../../src/domain/query.ts";
import { defined } from "../../src/kit/defined.ts";
import { print, printError, printText } from "../../src/terminal/print.ts";
import { checkGpus, columnsIn, type Filters, queryOf } from "./fleet.ts";
import { rangeOf, type TimeOptions } from "./history.ts";
import type { Output } from "./output.ts";
import { fittingMetrics, showRows } from "./show-rows.ts";

type Query = NonNullable<paths["/api/v1/telemetry/aggregates"]["get"]["parameters"]["query"]>;

interface AggregateOptions extends Omit<Filters, "gpu" | "model" | "namespace">, TimeOptions {
  readonly by: Query["group_by"];
  readonly metrics?: string;
  readonly resolution?: NonNullable<Query["resolution"]>;
}

/** The most rows of an answer. */
const rowsMax = 100_000;

/** Adds the command `aggregates`. */
export function addAggregates(
  program: Command,
  output: () => Output,
  parsers: { readonly count: (text: string) => number; readonly time: string },
): void {
  program
    .command("aggregates")
    .description("averages by minute, hour or day of each host or another group; of the last hour")
    .addOption(new Option("--by <group>", "a row for each of these").choices(groupings).default("host"))
    .option("--cluster <id>", "only of this cluster")
    .option("--host <hostname>", "only of this host")
    .option("--parent <uuid>", "only the MIG instances of this GPU")
    .option("--metrics <names>", "only these metrics, separated by commas; /api/v1/metrics lists them")
    .option("--start <time>", `from the first minute, hour or day after this time; ${parsers.time}`)
    .option("--end <time>", "up to this time")
    .addOption(new Option("--resolution <span>", "averages over these spans").choices(["auto", "1m", "1h", "1d"]))
    .option("--limit <count>", "only so many rows, the oldest ones", parsers.count)
    .action((options: AggregateOptions) => aggregates(output(), options));
}

/** Shows averages; as JSON, with the lowest and highest values and their number. @throws GatewayError, GatewayUnreachable */
async function aggregates(output: Output, options: AggregateOptions): Promise<void> {
  await checkGpus(output, options);
  const { by: group_by, metrics, resolution, limit, ...filters } = options;
  const query = {
    group_by,
    expected: false,
    ...queryOf(filters),
    ...rangeOf(options),
    ...defined({ metrics, resolution }),
  };
  const path = "/api/v1/telemetry/aggregates";
  // the rows are cut here: the limit of the API is the number of rows above which it refuses
  const most = limit === undefined ? {} : { limit: rowsMax };
  const { data: all } = await answerOf(output.gateway.GET(path, { params: { query: { ...query, ...most } } }));
  if (all.length === 0 && options.end === undefined) await tellNewest(output, options);
  const data = all.slice(0, limit);
  if (data.length < all.length) printError(`${data.length} of ${all.length} rows`);
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const rows = data.map(({ timestamp, group, metrics: values }) => ({
    timestamp,
    ...group,
    ...Object.fromEntries(Object.entries(values).map(([name, { avg }]) => [name, Math.round(avg * 100) / 100])),
  }));
  const groups = columnsIn(rows, ["cluster_id", "hostname", "uuid", "model_name", "namespace"]);
  const names = [...new Set(data.flatMap(({ metrics: values }) => Object.keys(values)))];
  const columnsOf = (shown: readonly string[]) => ["timestamp", ...groups, ...shown];
  const shown = metrics === undefined ? fittingMetrics(rows, names, columnsOf) : names;
  showRows(rows, columnsOf(shown), output);
  if (shown.length < names.length) {
    printText(`${names.length - shown.length} more metrics: --metrics chooses among them, --json has all`);
  }
}

/** An import of old records has none of the last hour: says until when there are some. */
async function tellNewest({ gateway }: Output, { cluster, host, start }: AggregateOptions): Promise<void> {
  const query = { limit: 1, ...defined({ cluster_id: cluster, hostname: host }) };
  const { data } = await answerOf(gateway.GET("/api/v1/telemetry", { params: { query } }));
  const [newest] = data;
  if (newest === undefined) return printError("there are no records yet");
  const range = start === undefined ? "of the last hour" : `since ${start}`;
  printError(`there are no records ${range}; the newest is of ${newest.timestamp}: --end ${newest.timestamp}`);
}
