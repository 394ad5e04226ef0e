import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { SupervisorUnavailable } from "../../../domain/errors.ts";
import { messageOf } from "../../../kit/message-of.ts";
import type { ScaledRole } from "../../coordinator/policy.ts";
import type { Executor, RequestedCount, ScaleRequest } from "../executor.ts";

export interface LocalExecutorOptions {
  /** Unix socket of the supervisor. */
  readonly socket: string;
}

const timeoutMs = 3000;
const roleSchema = Type.Object({
  count: Type.Number(),
  command: Type.Optional(Type.Object({ count: Type.Number(), at: Type.String() })),
});
const statusSchema = Type.Object({ roles: Type.Record(Type.String(), roleSchema) });
const refusalSchema = Type.Object({ error: Type.String(), term: Type.Optional(Type.Number()) });

/** Has the supervisor of this machine start and stop processes. The supervisor refuses the requests of earlier terms, and says which term it
 *  knows. If the coordinator leads nevertheless, etcd has lost that term with what it had, and the request is repeated as the one that
 *  supersedes it. */
export class LocalExecutor implements Executor {
  readonly name = "local";

  constructor(private readonly options: LocalExecutorOptions) {}

  async check(): Promise<void> {
    await this.call("/status", {});
  }

  async scale(request: ScaleRequest): Promise<void> {
    let refusal = await this.refusalOf(request);
    if (refusal?.term !== undefined && (await request.stillLeads()))
      refusal = await this.refusalOf(request, refusal.term);
    const { role, count } = request;
    if (refusal !== undefined)
      throw new SupervisorUnavailable(`the supervisor refused ${count} ${role}s: ${refusal.error}`);
  }

  async requested(role: ScaledRole): Promise<RequestedCount | undefined> {
    const status: unknown = await (await this.call("/status", {})).json();
    const requested = Value.Check(statusSchema, status) ? status.roles[role] : undefined;
    if (requested === undefined) return undefined;
    const { count, command } = requested;
    return { count, command: command && { count: command.count, atMs: Date.parse(command.at) } };
  }

  /** @param supersedes the term that the supervisor knows, if it is not of etcd's history
   *  @returns undefined if the supervisor accepts the request */
  private async refusalOf(
    { role, count, term, reason }: ScaleRequest,
    supersedes?: number,
  ): Promise<Static<typeof refusalSchema> | undefined> {
    const body = JSON.stringify({ count, term: Number(term), reason, supersedes });
    const headers = { "content-type": "application/json" };
    const response = await this.call(`/roles/${role}`, { method: "POST", body, headers });
    if (response.ok) return undefined;
    const answer: unknown = await response.json().catch(() => undefined);
    return Value.Check(refusalSchema, answer) ? answer : { error: `status ${response.status}` };
  }

  private async call(path: string, init: RequestInit): Promise<Response> {
    const { socket: unix } = this.options;
    try {
      return await fetch(`http://supervisor${path}`, { ...init, unix, signal: AbortSignal.timeout(timeoutMs) });
    } catch (cause) {
      throw new SupervisorUnavailable(
        `the supervisor does not answer at ${unix} (SUPERVISOR_SOCKET): ${messageOf(cause)}`,
        { cause },
      );
    }
  }
}
