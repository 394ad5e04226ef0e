import { answerOf, type FaultOrder, type paths } from "gpu-telemetry-client";
import { defined } from "../../../src/kit/defined.ts";
import { print } from "../../../src/terminal/print.ts";
import { UsageError } from "../usage-error.ts";
import { cellOf, type Output } from "../output.ts";
import { showRows } from "../show-rows.ts";

type SilenceQuery = paths["/api/v1/silences"]["post"]["parameters"]["query"];

/** A silence as typed. */
export interface SilenceOptions {
  readonly name?: string;
  readonly severity?: string;
  readonly cluster?: string;
  readonly host?: string;
  readonly gpu?: string;
  readonly namespace?: string;
  readonly job?: string;
  readonly reason: string;
  /** In milliseconds. */
  readonly for?: number;
  readonly until?: string;
}

interface Comment {
  readonly comment?: string;
}

/** Acknowledges the fault that fires and has a text in its id.
 *  @throws UsageError if no fault or several faults match
 *  @throws GatewayError, GatewayUnreachable */
export async function acknowledge(output: Output, part: string, { comment }: Comment): Promise<void> {
  const params = { path: { id: await idOf(output, part) }, query: defined({ comment }) };
  const { data } = await answerOf(output.gateway.POST("/api/v1/faults/{id}/acknowledge", { params }));
  showOrder(output, data);
}

interface RemediateOptions extends Comment {
  readonly kind: "reset" | "reboot";
  /** A hostname or uuid. */
  readonly name: string;
  readonly cluster?: string;
}

/** Tells that a host or device was reset, or a host rebooted.
 *  @throws GatewayError, GatewayUnreachable */
export async function remediate(output: Output, { kind, name, cluster, comment }: RemediateOptions): Promise<void> {
  const subject = /^(?:GPU|MIG)-/i.test(name) ? { gpu_uuid: name } : { hostname: name };
  const query = { kind, ...subject, ...defined({ cluster_id: cluster, comment }) };
  const { data } = await answerOf(output.gateway.POST("/api/v1/remediations", { params: { query } }));
  showOrder(output, data);
}

/** Creates a silence. @throws UsageError, GatewayError, GatewayUnreachable */
export async function silence(output: Output, options: SilenceOptions): Promise<void> {
  const { name, severity, cluster, host, gpu, namespace, job, reason, for: forMs, until } = options;
  if ((forMs === undefined) === (until === undefined)) throw new UsageError("give either --for or --until");
  const end_time = until ?? new Date(Date.now() + (forMs ?? 0)).toISOString();
  const places = { cluster_id: cluster, hostname: host, gpu_uuid: gpu, namespace, job };
  const query: SilenceQuery = { reason, end_time, ...defined({ name, severity, ...places }) };
  const { data } = await answerOf(output.gateway.POST("/api/v1/silences", { params: { query } }));
  showSilences(output, [data]);
}

/** Lists silences. @throws GatewayError, GatewayUnreachable */
export async function silences(output: Output, { ended = false }: { readonly ended?: boolean }): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/silences", { params: { query: { ended } } }));
  showSilences(output, data);
}

/** Ends a silence. @throws GatewayError, GatewayUnreachable */
export async function endSilence(output: Output, id: number): Promise<void> {
  const { data } = await answerOf(output.gateway.DELETE("/api/v1/silences/{id}", { params: { path: { id } } }));
  showSilences(output, [data]);
}

interface ShownSilence {
  readonly matchers: Readonly<Record<string, string>>;
}

function showSilences(output: Output, silences: readonly ShownSilence[]): void {
  const rows = silences.map((each) => ({
    ...each,
    matchers: output.asJson
      ? each.matchers
      : Object.entries(each.matchers)
          .map(([name, text]) => `${name}=${text}`)
          .join(" "),
  }));
  showRows(rows, ["id", "state", "matchers", "author", "reason", "ends_at"], output);
}

function showOrder(output: Output, order: FaultOrder): void {
  if (output.asJson) return print(JSON.stringify(order, null, 2));
  if (order.fault !== undefined) print(cellOf(`${order.fault.id}: ${order.fault.state}`));
  print(cellOf(order.message));
}

async function idOf({ gateway }: Output, part: string): Promise<string> {
  const query = { state: "firing,suppressed,acknowledged", limit: 10_000 };
  const { data } = await answerOf(gateway.GET("/api/v1/faults", { params: { query } }));
  const ids = data.map(({ id }) => id);
  const found = ids.includes(part) ? [part] : ids.filter((id) => id.includes(part));
  if (found.length > 1)
    throw new UsageError(`several faults have ${JSON.stringify(part)} in their id: ${found.join(", ")}`);
  // an id that is not listed may be of a fault that has ended: the gateway says so
  return found[0] ?? part;
}
