import { answerOf } from "gpu-telemetry-client";
import { terminalWidth, wrapped } from "./narrow-table.ts";
import { cellOf, type Output } from "./output.ts";
import { showRows } from "./show-rows.ts";
import { print } from "../../src/terminal/print.ts";

/** The roles in the order in which data passes through them. */
const roles = ["streamer", "collector", "gateway"];

/** Shows how many processes each role should have, and the decisions with their reasons. */
export async function scaling(output: Output, { limit = 10 }: { readonly limit?: number }): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/scaling", { params: { query: { limit } } }));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const { leader, as_of, desired, actual, decisions } = data;
  if (leader === undefined) print("no coordinator leads");
  else print(`${cellOf(leader.instance_id)} leads in term ${leader.term} since ${leader.since}`);
  if (as_of !== undefined) print(`decided last at ${as_of}`);
  const rows = roles.map((role) => {
    const newest = decisions.find((decision) => decision.role === role);
    return { role, desired: desired[role], actual: actual[role], reason: newest?.code };
  });
  showRows(rows, ["role", "desired", "actual", "reason"], output);
  for (const { at, role, direction, from, to, code, reason } of decisions) {
    print(`${at} ${role}s ${direction === "hold" ? `${to}` : `${from} -> ${to}`} (${code})`);
    for (const line of wrapped(cellOf(reason), (terminalWidth() ?? 80) - 2)) print(`  ${line}`);
  }
}
