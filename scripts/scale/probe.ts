import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { gatewayInit } from "../gateway/gateway-init.ts";
import type { Settings } from "../supervisor/child-settings.ts";
import type { ManagedRole } from "../supervisor/managed-role.ts";
import type { ShownInstance, Status } from "../supervisor/protocol.ts";
import type { SupervisorClient } from "./supervisor-client.ts";

const probeTimeoutMs = 3000;
const pauseMs = 150;
const healthSchema = Type.Object({
  status: Type.String(),
  components: Type.Record(Type.String(), Type.Object({ reason: Type.Optional(Type.String()) })),
});

const balancerSchema = Type.Object({ backends: Type.Array(Type.Object({ state: Type.String() })) });
const noGateway = "balancer: no gateway is ready; API_GW_INSTANCES=2 bun run scale-gateways starts two";

/** The health of a process, and the reason of each part that is not ok. */
export interface Health {
  readonly status: string;
  readonly reasons: readonly string[];
}

/** Where this machine reaches the processes: a URL without a port. */
export function probeOrigin({ HOST: host, TLS_CERT_FILE: certFile }: Settings): string {
  const scheme = certFile ? "https" : "http";
  if (host === undefined || host === "0.0.0.0" || host === "::") return `${scheme}://127.0.0.1`;
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}`;
}

/** What is sent with a request to a process of this machine. Its certificate is for the name that others use, and is not checked.
 *  @throws Error if a file of the environment cannot be read */
export function probeInit(timeoutMs: number) {
  const { headers, tls } = gatewayInit(process.env);
  return { headers, tls: { ...tls, rejectUnauthorized: false }, signal: AbortSignal.timeout(timeoutMs) };
}

/** Asks a process for its health; undefined if it does not answer. A balancer passes /health on to a gateway, so it is asked for its
 *  gateways. */
export async function readHealth(origin: string, { role, port }: Probed): Promise<Health | undefined> {
  try {
    const health = await readJson(`${origin}:${port}/${role === "balancer" ? "balancer/status" : "health"}`);
    if (role === "balancer") return healthOfBalancer(health);
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

/** A process that can be asked. */
interface Probed {
  readonly role: ManagedRole;
  readonly port: number;
}

async function readJson(url: string): Promise<unknown> {
  return await (await fetch(url, probeInit(probeTimeoutMs))).json();
}

function healthOfBalancer(status: unknown): Health | undefined {
  if (!Value.Check(balancerSchema, status)) return undefined;
  if (status.backends.some(({ state }) => state === "READY")) return { status: "ok", reasons: [] };
  return { status: "degraded", reasons: [noGateway] };
}

async function isReady(origin: string, probed: Probed): Promise<boolean> {
  if (probed.role === "balancer") return (await readHealth(origin, probed))?.status === "ok";
  try {
    const { tls, signal } = probeInit(probeTimeoutMs);
    return (await fetch(`${origin}:${probed.port}/health/ready`, { tls, signal })).ok;
  } catch {
    return false;
  }
}

export interface ReadyOptions {
  readonly client: SupervisorClient;
  /** As `probeOrigin` has it. */
  readonly origin: string;
  readonly timeoutMs: number;
  /** True for the processes to wait for. */
  readonly isAwaited: (instance: ShownInstance) => boolean;
  /** True for a process that is not the new one yet. */
  readonly isOld?: (instance: ShownInstance) => boolean;
}

/** Waits until processes are ready, but not for those that end again and again.
 *  @returns the instances that are not ready when the time is up */
export async function waitUntilReady(options: ReadyOptions): Promise<readonly ShownInstance[]> {
  const { client, origin, timeoutMs, isAwaited, isOld = () => false } = options;
  const deadlineMs = Date.now() + timeoutMs;
  for (;;) {
    const awaited = (await client.status()).instances.filter(isAwaited);
    const ready = await Promise.all(
      awaited.map(async (each) => isRunningOn(each) && !isOld(each) && (await isReady(origin, each))),
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
