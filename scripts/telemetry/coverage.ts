import { answerOf, type paths } from "gpu-telemetry-client";
import { defined } from "../../src/kit/defined.ts";
import { checkGpus, columnsIn, type Filters, queryOf } from "./fleet.ts";
import { rangeOf, type TimeOptions } from "./history.ts";
import type { Output, Row } from "./output.ts";
import { showRows } from "./show-rows.ts";

type Query = NonNullable<paths["/api/v1/coverage"]["get"]["parameters"]["query"]>;

interface CoverageOptions extends Omit<Filters, "namespace">, TimeOptions {
  readonly by?: NonNullable<Query["by"]>;
  readonly step?: NonNullable<Query["step"]>;
}

/** Shows what was expected and what was received. @throws GatewayError, GatewayUnreachable */
export async function coverage(output: Output, options: CoverageOptions): Promise<void> {
  await checkGpus(output, options);
  const { by, step } = options;
  const query = { ...queryOf(options), ...rangeOf(options), ...defined({ by, step }) };
  const answer = await answerOf(output.gateway.GET("/api/v1/coverage", { params: { query } }));
  const next = options.limit === undefined ? answer.next_cursor : undefined;
  const rows: readonly Row[] = output.asJson ? answer.data : answer.data.map(shownRow);
  const groups = columnsIn(rows, ["cluster_id", "hostname", "uuid", "source_id"]);
  showRows(rows, ["timestamp", ...groups, "devices", "received", "late", "missed", "basis"], { ...output, next });
}

interface CoverageRow extends Row {
  readonly missed: object;
  readonly maintenance: number;
  readonly expected?: number;
  readonly received: number;
}

/** The received of the expected readings in one cell, and the reasons in another. */
function shownRow(row: CoverageRow): Row {
  const missed = Object.entries(row.missed).map(([reason, count]) => `${String(count)} ${reason.replaceAll("_", " ")}`);
  if (row.maintenance > 0) missed.push(`not expected in maintenance: ${row.maintenance}`);
  const expected = row.expected === undefined ? "an unknown number" : String(row.expected);
  return { ...row, received: `${row.received} of ${expected}`, missed: missed.join(", ") };
}
