import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { ManagedRole } from "../supervisor/managed-role.ts";
import type { ShownInstance } from "../supervisor/protocol.ts";
import { probeInit } from "./probe.ts";
import type { SupervisorClient } from "./supervisor-client.ts";

const requestTimeoutMs = 2000;
const pauseMs = 150;
const listSchema = Type.Object({ count: Type.Number() });

export interface RecordsOptions {
  readonly client: SupervisorClient;
  /** As `probeOrigin` has it. */
  readonly origin: string;
  readonly timeoutMs: number;
}

/** Waits until the first gateway shows a GPU. Does not wait if no records can arrive, because a role is missing.
 *  @returns false if there is no GPU when the time is up */
export async function waitForRecords({ client, origin, timeoutMs }: RecordsOptions): Promise<boolean> {
  const { instances } = await client.status();
  const [streamer, collector, gateway] = (["streamer", "collector", "gateway"] as const).map((role) =>
    firstOf(instances, role),
  );
  const port = gateway?.port;
  if (streamer === undefined || collector === undefined || port === undefined) return true;
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await showsGpu(origin, port))) {
    if (Date.now() > deadlineMs) return false;
    await Bun.sleep(pauseMs);
  }
  return true;
}

function firstOf(instances: readonly ShownInstance[], role: ManagedRole): ShownInstance | undefined {
  return instances.find((instance) => instance.role === role && instance.phase === "RUNNING");
}

async function showsGpu(origin: string, port: number): Promise<boolean> {
  try {
    const init = probeInit(requestTimeoutMs);
    const list: unknown = await (await fetch(`${origin}:${port}/api/v1/gpus?limit=1`, init)).json();
    return Value.Check(listSchema, list) && list.count > 0;
  } catch {
    return false;
  }
}
