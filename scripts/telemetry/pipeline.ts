import { answerOf, type components, GatewayError } from "gpu-telemetry-client";
import { defined } from "../../src/kit/defined.ts";
import { printNarrow } from "./narrow-table.ts";
import type { Output } from "./output.ts";
import { showRows, showTable } from "./show-rows.ts";
import { print, printError } from "../../src/terminal/print.ts";

const letterColumns = ["id", "attempts", "records", "source_id", "dead_at", "last_error"];

export async function queue(output: Output): Promise<void> {
  const state = await answerOf(output.gateway.GET("/api/v1/pipeline")).catch(withoutStore);
  if (state === undefined) return await healthInstead(output);
  const { data } = state;
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  print("Messages in the queue");
  showTable([data.queue], Object.keys(data.queue));
  const rejected = Object.entries(data.rejected).map(([reason, inputs]) => ({ reason, inputs }));
  if (rejected.length > 0) {
    print("Rejected inputs (bun run telemetry rejections)");
    showTable(rejected, ["reason", "inputs"]);
  }
  if (data.conflicts !== undefined) print(`${data.conflicts} conflicting values`);
  print("Hours of history that wait to become blocks");
  showTable([data.settling], ["enabled", "oldest_hour", "due_hours", "lag_seconds"]);
  print("Services of the gateway's process");
  showTable(data.services, ["name", "status", "activity", "reason"]);
}

/** Undefined if the store does not answer, which counts what was rejected. */
function withoutStore(error: unknown): undefined {
  if (error instanceof GatewayError && error.code === "store_unavailable") return undefined;
  throw error;
}

/** Shows the parts of the gateway's process: without the store, the rest is not known. */
async function healthInstead({ gateway, asJson }: Output): Promise<void> {
  printError("The store does not answer: what was rejected, and how much history waits, is not known; /health says:");
  process.exitCode = 1;
  // a process that is down answers with 503, and the same body
  const { data, error } = await gateway.GET("/health");
  const health = (data ?? error) as Partial<components["schemas"]["Health"]> | undefined;
  const parts = Object.entries(health?.components ?? {}).map(([name, part]) => ({ name, ...part }));
  if (asJson) return print(JSON.stringify(parts, null, 2));
  showTable(parts, ["name", "status", "activity", "reason"]);
}

interface RejectionsOptions {
  readonly source?: string;
  readonly push?: string;
  readonly limit?: number;
}

/** Shows the rejected inputs, newest first, each with its place and the reason. */
export async function rejections(output: Output, { source, push, limit }: RejectionsOptions): Promise<void> {
  const query = defined({ source_id: source, push_id: push, limit });
  const { data } = await answerOf(output.gateway.GET("/api/v1/quarantine", { params: { query } }));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  printRejections(data);
  print(`${data.length} ${data.length === 1 ? "rejected input" : "rejected inputs"}`);
}

type Rejection = components["schemas"]["Rejection"];

function printRejections(rejections: readonly Rejection[]): void {
  // only the lines of a file have numbers
  const rows = rejections.map(({ source_id, line, byte, ...rest }) => ({
    ...rest,
    source: source_id,
    place: line === 0 ? `element ${byte}` : `line ${line}`,
  }));
  const columns = [{ name: "id" }, { name: "source", wraps: true }, { name: "place" }, { name: "reason" }];
  printNarrow(rows, [...columns, { name: "message", wraps: true }]);
}

export async function redriveRejection(output: Output, id: number): Promise<void> {
  const path = "/api/v1/quarantine/{id}/redrive";
  showRejection(output, (await answerOf(output.gateway.POST(path, { params: { path: { id: id } } }))).data);
}

export async function deleteRejection(output: Output, id: number): Promise<void> {
  const path = "/api/v1/quarantine/{id}";
  showRejection(output, (await answerOf(output.gateway.DELETE(path, { params: { path: { id: id } } }))).data);
}

function showRejection({ asJson }: Output, rejection: Rejection): void {
  if (asJson) print(JSON.stringify([rejection], null, 2));
  else printRejections([rejection]);
}

export async function deadLetters(output: Output, { limit }: { readonly limit?: number }): Promise<void> {
  const query = limit === undefined ? {} : { limit };
  const answer = await answerOf(output.gateway.GET("/api/v1/pipeline/dead-letters", { params: { query } }));
  showRows(answer.data, letterColumns, { ...output, next: limit === undefined ? answer.next_cursor : undefined });
}

export async function redriveLetter(output: Output, id: string): Promise<void> {
  const path = "/api/v1/pipeline/dead-letters/{id}/redrive";
  const { data } = await answerOf(output.gateway.POST(path, { params: { path: { id } } }));
  showRows([data], letterColumns, output);
}

export async function deleteLetter(output: Output, id: string): Promise<void> {
  const path = "/api/v1/pipeline/dead-letters/{id}";
  const { data } = await answerOf(output.gateway.DELETE(path, { params: { path: { id } } }));
  showRows([data], letterColumns, output);
}
