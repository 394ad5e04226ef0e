import { answerOf } from "gpu-telemetry-client";
import { ageText } from "../../src/kit/age-text.ts";
import { allPages } from "./all-pages.ts";
import { fixedTable, type FixedColumn } from "./fixed-table.ts";
import { terminalWidth } from "./narrow-table.ts";
import { cellOf, type Output } from "./output.ts";
import { print } from "../../src/terminal/print.ts";

/** The columns of the table: with their borders, they are 80 characters wide, or as wide as a narrower terminal. */
const columns: readonly FixedColumn[] = [
  { title: "target", width: 30, align: "left" },
  { title: "state", width: 7, align: "left" },
  { title: "dialect", width: 15, align: "left" },
  { title: "age", width: 5, align: "right" },
  { title: "GPUs", width: 4, align: "right" },
  { title: "gaps", width: 6, align: "right" },
  { title: "ms", width: 5, align: "right" },
];

/** What the command accepts. */
export interface TargetsOptions {
  readonly state?: string;
  readonly kind?: string;
  readonly cluster?: string;
}

/** As many as the API gives at once. */
const pageTargets = 10_000;

/** Prints the exporters that the pipeline scrapes and its other live sources, and what is wrong with each. A text that is wider than its column goes on
 *  in the next line. */
export async function targets(output: Output, options: TargetsOptions): Promise<void> {
  const { data, asOf } = await allTargets(output, options);
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const table = fixedTable(columns, terminalWidth());
  for (const { target, kind, state, dialect, last_read_at: readAt, devices, gaps, duration_ms: ms, frozen } of data) {
    const shownState = frozen > 0 && state !== "down" ? "frozen" : state;
    const shownDialect = kind === "exporter" ? dialect : kind;
    table.push([
      ...[target, shownState, shownDialect].map(cellOf),
      ageOf(readAt, asOf),
      ...[devices, gaps, ms].map((figure) => (figure === undefined ? "" : String(figure))),
    ]);
  }
  print(table.toString());
  print(`${data.length} ${data.length === 1 ? "target" : "targets"} as of ${asOf}`);
  for (const { target, state, frozen, message, warning, last_error: error } of data) {
    // a streamer of an earlier version has no warnings
    if (state === "down" || (frozen > 0 && warning === undefined)) print(cellOf(`${target}: ${message}`));
    if (warning !== undefined) print(cellOf(`${target}: ${warning}`));
    if (state !== "down" && error !== undefined) print(cellOf(`${target}: until ${error.at}: ${error.message}`));
  }
}

/** Reads the list in parts. */
async function allTargets(output: Output, { state, kind, cluster }: TargetsOptions) {
  const selection = {
    ...(state === undefined ? {} : { state: state as "down" }),
    ...(kind === undefined ? {} : { kind: kind as "exporter" }),
    ...(cluster === undefined ? {} : { cluster_id: cluster }),
  };
  const { data, as_of: asOf } = await allPages((cursor) => {
    const query = { ...selection, ...cursor, limit: pageTargets };
    return answerOf(output.gateway.GET("/api/v1/targets", { params: { query } }));
  });
  return { data, asOf };
}

/** The time since the last scrape that was read, in its largest unit. */
function ageOf(readAt: string | undefined, asOf: string): string {
  if (readAt === undefined) return "";
  return ageText(Math.max(0, Math.round((Date.parse(asOf) - Date.parse(readAt)) / 1000)));
}
