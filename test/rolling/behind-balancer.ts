import { join } from "node:path";
import { until } from "../../dev/until.ts";

const readyMs = 90_000;

/** Starts the balancer of this checkout; `balancerUrl` reads its output. */
export function startBalancer(env: Readonly<Record<string, string>>) {
  return Bun.spawn([process.execPath, "scripts/balancer.ts"], {
    cwd: join(import.meta.dir, "../.."),
    env: { ...process.env, ...env, BALANCER_PORT: "0" },
    stdout: "pipe",
    stderr: "inherit",
  });
}

/** The URL that the balancer prints.
 *  @throws Error with its output if it ends first */
export async function balancerUrl(output: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const reader = output.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    text += decoder.decode(value, { stream: true });
    const [, url] = /balancer listens on (http:[^"\s]+)/.exec(text) ?? [];
    if (url !== undefined) {
      reader.releaseLock();
      return url;
    }
    if (done) throw new Error(`the balancer ended:\n${text}`);
  }
}

/** Waits until so many gateways behind the balancer are ready. */
export const untilReady = (url: string, count: number): Promise<unknown> =>
  until(
    async () => {
      const { backends } = (await (await fetch(`${url}/balancer/status`)).json()) as { backends: { state: string }[] };
      return backends.filter(({ state }) => state === "READY").length === count;
    },
    { timeoutMs: readyMs },
  );

/** The instants of the history, by GPU of the host that the followers follow. */
export async function storedInstants(url: string): Promise<Map<string, number[]>> {
  const read = async (path: string) =>
    (await (await fetch(`${url}${path}`)).json()) as { data: { uuid: string; timestamp: string }[] };
  const { data: gpus } = await read("/api/v1/gpus?hostname=sim-dgx-001&limit=100");
  const histories = gpus.map(async ({ uuid }) => {
    const { data } = await read(`/api/v1/gpus/${uuid}/telemetry?limit=10000`);
    return [uuid, data.map(({ timestamp }) => Date.parse(timestamp))] as const;
  });
  return new Map(await Promise.all(histories));
}
