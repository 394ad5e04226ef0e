import { answerOf, type Fault, type paths } from "gpu-telemetry-client";
import { defined } from "../../../src/kit/defined.ts";
import { print, printError } from "../../../src/terminal/print.ts";
import { ageText } from "../../../src/kit/age-text.ts";
import { rangeOf, type TimeOptions } from "../history.ts";
import { printNarrow } from "../narrow-table.ts";
import { cellOf, occupantsText, type Output } from "../output.ts";

type Query = NonNullable<paths["/api/v1/faults"]["get"]["parameters"]["query"]>;

/** What selects faults, under the names of the command line. */
export interface FaultOptions extends TimeOptions {
  readonly state?: string;
  readonly severity?: string;
  readonly name?: string;
  readonly cluster?: string;
  readonly host?: string;
  readonly gpu?: string;
  readonly namespace?: string;
  readonly job?: string;
  readonly pending?: boolean;
  readonly limit?: number;
}

/** How often `--watch` looks, and after how many tables it ends. */
export interface WatchOptions {
  readonly watch?: boolean;
  readonly interval: number;
  readonly count?: number;
}

const columns = [
  { name: "severity" },
  { name: "age" },
  { name: "state" },
  { name: "host", wraps: true },
  { name: "gpu", wraps: true },
  { name: "fault", wraps: true },
  { name: "holder", wraps: true },
] as const;

/** Shows faults, and what to do about each; with `watch` again whenever they have changed.
 *  @throws GatewayError, GatewayUnreachable */
export async function faultList(output: Output, options: FaultOptions & WatchOptions): Promise<void> {
  const { watch = false, interval, count = Infinity, limit } = options;
  let shownText = "";
  for (let shownCount = 0; shownCount < (watch ? count : 1);) {
    const answer = await answerOf(output.gateway.GET("/api/v1/faults", { params: { query: queryOf(options) } }));
    const { data, next_cursor: next, notice } = answer;
    // ages change without anything having happened
    const text = JSON.stringify([notice, ...data.map((fault) => ({ ...fault, age_seconds: 0 }))]);
    if (text !== shownText) {
      if (notice !== undefined) printError(notice);
      if (next !== undefined && limit === undefined) printError("there are more: raise --limit (up to 10000)");
      show(output, data, watch);
      shownText = text;
      shownCount += 1;
    }
    if (watch && shownCount < count) await Bun.sleep(interval * 1000);
  }
}

function show(output: Output, faults: readonly Fault[], isWatch: boolean): void {
  if (output.asJson) return print(isWatch ? JSON.stringify(faults) : JSON.stringify(faults, null, 2));
  if (isWatch) print(new Date().toISOString());
  if (faults.length > 0) printNarrow(faults.map(rowOf), columns);
  print(`${faults.length} ${faults.length === 1 ? "fault" : "faults"}`);
  const actions = new Map(faults.map(({ name, action, runbook }) => [name, `${name}: ${action} (${runbook})`]));
  for (const line of actions.values()) print(cellOf(line));
}

/** Shows one fault with the changes of its state. @param part of its id
 *  @throws UsageError, GatewayError, GatewayUnreachable */
export async function showFault(output: Output, id: string): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/faults/{id}", { params: { path: { id } } }));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const { changes, holders, silenced_by: silences, silenced, value, ...texts } = data;
  for (const [name, text] of Object.entries(texts)) print(`${name}: ${cellOf(text)}`);
  if (value !== undefined) print(`value: ${value}`);
  if (holders.length > 0) print(`held by: ${occupantsText(holders)}`);
  if (silenced) print(`silenced by: ${silences.join(", ") || "others"}`);
  for (const { at, state, why, by = "", comment = "" } of changes) {
    print(cellOf([at, state, why, by, comment].filter((text) => text !== "").join(" ")));
  }
}

function rowOf(fault: Fault) {
  const { severity, state, hostname, uuid, job, name, holders, cluster_id: cluster, silenced } = fault;
  return {
    ...{ severity, age: ageText(fault.age_seconds), state: silenced ? `${state} (silenced)` : state },
    ...{ host: hostname ?? cluster, gpu: uuid ?? "", fault: name, holder: job ?? occupantsText(holders) },
  };
}

/** What fires, or has been acknowledged or suppressed, unless the options say otherwise. */
function queryOf(options: FaultOptions): Query {
  const { state, severity, name, cluster, host, gpu, namespace, job, pending, limit, start, end } = options;
  const isInTime = start !== undefined || end !== undefined;
  const lasting = `${pending === true ? "pending," : ""}firing,acknowledged,suppressed`;
  const places = { cluster_id: cluster, hostname: host, gpu_uuid: gpu, namespace, job };
  const chosen = state ?? (isInTime ? undefined : lasting);
  return { ...defined({ state: chosen, severity, name, ...places, limit }), ...rangeOf(options) };
}
