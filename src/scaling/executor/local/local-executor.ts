import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
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
const refusalSchema = Type.Object({ error: Type.String() });

/** Has the supervisor of this machine start and stop processes. The supervisor refuses the requests of earlier terms. */
export class LocalExecutor implements Executor {
  readonly name = "local";

  constructor(private readonly options: LocalExecutorOptions) {}

  async check(): Promise<void> {
    await this.call("/status", {});
  }

  async scale({ role, count, term, reason }: ScaleRequest): Promise<void> {
    const body = JSON.stringify({ count, term: Number(term), reason });
    const headers = { "content-type": "application/json" };
    const response = await this.call(`/roles/${role}`, { method: "POST", body, headers });
    if (response.ok) return;
    const answer: unknown = await response.json().catch(() => undefined);
    const why = Value.Check(refusalSchema, answer) ? answer.error : `status ${response.status}`;
    throw new Error(`the supervisor refused ${count} ${role}s: ${why}`);
  }

  async requested(role: ScaledRole): Promise<RequestedCount | undefined> {
    const status: unknown = await (await this.call("/status", {})).json();
    const requested = Value.Check(statusSchema, status) ? status.roles[role] : undefined;
    if (requested === undefined) return undefined;
    const { count, command } = requested;
    return { count, command: command && { count: command.count, atMs: Date.parse(command.at) } };
  }

  private async call(path: string, init: RequestInit): Promise<Response> {
    const { socket: unix } = this.options;
    try {
      return await fetch(`http://supervisor${path}`, { ...init, unix, signal: AbortSignal.timeout(timeoutMs) });
    } catch (cause) {
      throw new Error(`the supervisor does not answer at ${unix} (SUPERVISOR_SOCKET): ${messageOf(cause)}`, { cause });
    }
  }
}
