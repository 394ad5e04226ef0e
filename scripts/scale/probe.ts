import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { ShownInstance, Status } from "../supervisor/protocol.ts";
import type { SupervisorClient } from "./supervisor-client.ts";

const probeTimeoutMs = 3000;
const pauseMs = 150;
const healthSchema = Type.Object({
  status: Type.String(),
  components: Type.Record(Type.String(), Type.Object({ reason: Type.Optional(Type.String()) })),
});

/** The health of a process, and the reason of each part that is not ok. */
export interface Health {
  readonly status: string;
  readonly reasons: readonly string[];
}

/** The address at which this machine reaches the processes. */
export function probeHost(host: string | undefined): string {
  if (host === undefined || host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}

/** Asks a process for its health; undefined if it does not answer. */
export async function readHealth(host: string, port: number): Promise<Health | undefined> {
  try {
    const response = await fetch(`http://${host}:${port}/health`, { signal: AbortSignal.timeout(probeTimeoutMs) });
    const health: unknown = await response.json();
    if (!Value.Check(healthSchema, health)) return undefined;
    return {
      status: health.status,
      reasons: Object.entries(health.components).flatMap(([name, { reason }]) =>
        reason === undefined ? [] : [`${name}: ${reason}`],
      ),
    };
  } catch {
    return undefined;
  }
}

async function isReady(host: string, port: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(probeTimeoutMs);
    return (await fetch(`http://${host}:${port}/health/ready`, { signal })).ok;
  } catch {
    return false;
  }
}

export interface ReadyOptions {
  readonly client: SupervisorClient;
  readonly host: string;
  readonly timeoutMs: number;
  /** True for the processes to wait for. */
  readonly isAwaited: (instance: ShownInstance) => boolean;
  /** True for a process that is not the new one yet. */
  readonly isOld?: (instance: ShownInstance) => boolean;
}

/** Waits until processes are ready, but not for those that end again and again.
 *  @returns the instances that are not ready when the time is up */
export async function waitUntilReady(options: ReadyOptions): Promise<readonly ShownInstance[]> {
  const { client, host, timeoutMs, isAwaited, isOld = () => false } = options;
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const awaited = (await client.status()).instances.filter(isAwaited);
    const ready = await Promise.all(
      awaited.map(async (each) => isRunningOn(each) && !isOld(each) && (await isReady(host, each.port))),
    );
    const left = awaited.filter((_, index) => ready[index] !== true);
    const hopeless = left.every(({ is_crash_loop: isLoop }) => isLoop);
    if (left.length === 0 || hopeless || Date.now() > deadlineMs) return stillRunning(await client.status(), left);
    await Bun.sleep(pauseMs);
  }
}

function isRunningOn(instance: ShownInstance): instance is ShownInstance & { readonly port: number } {
  return instance.phase === "RUNNING" && instance.port !== undefined;
}

/** The newest state of the instances that are still wanted. */
function stillRunning({ instances }: Status, left: readonly ShownInstance[]): readonly ShownInstance[] {
  const names = new Set(left.map(({ name }) => name));
  return instances.filter(({ name }) => names.has(name));
}
