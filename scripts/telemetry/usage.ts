import { type Command, Option } from "commander";
import { answerOf, type paths } from "gpu-telemetry-client";
import { usageGroupFields, usageGroupings, usageSteps } from "../../src/domain/usage/usage.ts";
import { defined } from "../../src/kit/defined.ts";
import { print } from "../../src/terminal/print.ts";
import { csvRows } from "./csv-rows.ts";
import { checkGpus, columnsIn, type Filters, queryOf } from "./fleet.ts";
import { rangeOf, type TimeOptions } from "./history.ts";
import { type Output, type Row } from "./output.ts";
import { type ShowOptions, showRows } from "./show-rows.ts";

type Query = NonNullable<paths["/api/v1/usage"]["get"]["parameters"]["query"]>;

interface UsageOptions extends Filters, TimeOptions {
  readonly by?: NonNullable<Query["group_by"]>;
  readonly step?: NonNullable<Query["step"]>;
  readonly pod?: string;
  readonly job?: string;
  readonly user?: string;
  readonly csv?: boolean;
}

const groupColumns = [...new Set<string>(Object.values(usageGroupFields).flat())];

/** Shows who used GPUs, and for how long. @throws GatewayError, GatewayUnreachable */
async function usage(output: Output, options: UsageOptions): Promise<void> {
  const { rows, next, range } = await usageRows(output, options);
  const shown = output.asJson || options.csv === true ? rows : rows.map(inHours);
  const hours = ["allocated", "active", "idle", "effective", "unallocated", "unknown"].map((name) => `${name}_hours`);
  const columns = [...columnsIn(rows, groupColumns), "devices", ...hours, "energy_kwh", ...columnsIn(rows, ["cost"])];
  show(shown, [...(options.step === undefined ? [] : ["timestamp"]), ...columns], {
    ...output,
    csv: options.csv,
    next,
    range,
  });
}

/** Shows who holds idle GPUs: those with the most idle hours first. @throws GatewayError, GatewayUnreachable */
async function waste(output: Output, options: UsageOptions): Promise<void> {
  const { limit, ...others } = options;
  const { rows, range } = await allRows(output, { by: "pod", ...others });
  const idle = rows
    .filter(({ idle_seconds }) => idle_seconds > 0)
    .sort((a, b) => (b.idle_cost ?? 0) - (a.idle_cost ?? 0) || b.idle_seconds - a.idle_seconds)
    .slice(0, limit ?? 100);
  const shown = output.asJson || options.csv === true ? idle : idle.map(inHours);
  const money = columnsIn(idle, ["idle_cost", "currency"]);
  const groups = columnsIn(idle, groupColumns);
  show(shown, [...groups, "devices", "idle_hours", "allocated_hours", "idle_share", "idle_energy_kwh", ...money], {
    ...output,
    csv: options.csv,
    range,
  });
}

async function usageRows(output: Output, options: UsageOptions) {
  const { next, ...page } = await pageOf(output, await usageQuery(output, options));
  return { ...page, next: options.limit === undefined ? next : undefined };
}

/** Reads all rows, however many pages they take: each is needed to find the greatest ones. */
async function allRows(output: Output, options: UsageOptions): Promise<Omit<UsagePage, "next">> {
  // every page is about the same time
  const end_time = options.end ?? new Date().toISOString();
  const query = { ...(await usageQuery(output, options)), end_time, limit: pageSize };
  const { next: second, rows, range } = await pageOf(output, query);
  for (let cursor = second; cursor !== undefined;) {
    const page = await pageOf(output, { ...query, cursor });
    rows.push(...page.rows);
    cursor = page.next;
  }
  return { rows, range };
}

/** The most rows of an answer. */
const pageSize = 10_000;

async function usageQuery(output: Output, options: UsageOptions): Promise<Query> {
  const { namespace, ...places } = options;
  await checkGpus(output, places);
  const { by: group_by, step, pod, job, user } = options;
  return { ...queryOf(options), ...rangeOf(options), ...defined({ group_by, step, namespace, pod, job, user }) };
}

async function pageOf({ gateway }: Output, query: Query) {
  const answer = await answerOf(gateway.GET("/api/v1/usage", { params: { query } }));
  const { data: rows, next_cursor: next, start_time, end_time } = answer;
  return { rows, next, range: `whole hours from ${start_time} to ${end_time}` };
}

type UsagePage = Awaited<ReturnType<typeof pageOf>>;
type UsageOfGroup = UsagePage["rows"][number];

/** Seconds as hours, and the share of the allocated time that was idle. */
function inHours(row: UsageOfGroup): Row {
  const seconds = Object.entries(row).filter(([name]) => name.endsWith("_seconds"));
  const hours = seconds.map(([name, value]) => [name.replace("_seconds", "_hours"), hoursText(Number(value))]);
  const idle = row.allocated_seconds === 0 ? 0 : row.idle_seconds / row.allocated_seconds;
  const shown = { ...row, ...(Object.fromEntries(hours) as Row), idle_share: `${Math.round(idle * 100)} %` };
  return { ...shown, ...Object.fromEntries(unmeasured(row).map((name) => [name, "-"])) };
}

/** The columns of a row in which nothing was measured: that is not 0. */
function unmeasured(row: UsageOfGroup): string[] {
  const hasUtilization = row.active_seconds + row.idle_seconds > 0;
  return [
    ...(hasUtilization ? [] : ["active_hours", "idle_hours", "idle_share"]),
    ...(row.effective_by === "none" ? ["effective_hours"] : []),
    ...(row.energy_by === "none" ? ["energy_kwh", "idle_energy_kwh"] : []),
  ];
}

/** Hours with a decimal, below 10 with two: a fleet that is new has few. */
function hoursText(seconds: number): string {
  const hours = seconds / 3600;
  return hours.toFixed(hours < 10 ? 2 : 1);
}

function show(
  rows: readonly Row[],
  columns: readonly string[],
  { csv = false, range, ...options }: ShowOptions & { readonly csv?: boolean | undefined; readonly range: string },
): void {
  if (csv) return print(csvRows(rows));
  showRows(rows, columns, options);
  if (!options.asJson) print(range);
}

/** Adds the commands for usage. */
export function addUsage(program: Command, output: () => Output, parseCount: (text: string) => number): void {
  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .addOption(new Option("--by <group>", "a row for each of these").choices(usageGroupings))
      .option("--gpu <uuid>", "only this GPU or MIG instance")
      .option("--parent <uuid>", "only the MIG instances of this GPU")
      .option("--cluster <id>", "only of this cluster")
      .option("--host <hostname>", "only of this host")
      .option("--model <name>", "only GPUs of this model")
      .option("--namespace <name>", "only what this namespace held")
      .option("--pod <name>", "only what pods of this name held")
      .option("--job <name>", "only what this job held")
      .option("--user <name>", "only what was held for this user")
      .option(
        "--start <time>",
        "from the hour that has this time; RFC 3339 with zone, or -1h; by default a day before the end",
      )
      .option("--end <time>", "up to the hour that has this time, or up to the beginning of an hour; by default now")
      .option("--limit <count>", "maximum number of rows", parseCount)
      .option("--csv", "CSV instead of a table", false);
  command("usage", "who used GPUs, for how long, and how much of that was active, idle and effective; by namespace")
    .addOption(new Option("--step <span>", "rows by hour or day, or for the whole range").choices(usageSteps))
    .action((options) => usage(output(), options as object));
  command("waste", "who holds idle GPUs: idle hours, energy and cost, the greatest first; by pod").action((options) =>
    waste(output(), options as object),
  );
}
