import { Elysia } from "elysia";
import pino from "pino";
import { Registry } from "prom-client";
import { parseConfig } from "../../src/config/parse-config.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { noOccupants } from "../../src/domain/gpu.ts";
import type { StoredGpu } from "../../src/domain/query.ts";
import type { FleetMember } from "../../src/routes/fleet/fleet.ts";
import { FleetProjection } from "../../src/routes/fleet/fleet-projection.ts";
import { MemoryHotTier } from "../../src/pipeline/hot/memory/memory-hot-tier.ts";
import { LiveFeed } from "../../src/routes/live/live-feed.ts";
import { liveRoutes, socketSettings } from "../../src/routes/live/live-routes.ts";
import { makeBatch } from "../../dev/make-batch.ts";
import { gpuUuid, textOf, timeOf, values } from "./fan-out-load.ts";

// The server of the fan-out bench. `feed` and `hot`: our server, with records published to the live feed or to the hot tier.
// `bun`: plain Bun.serve, with the same texts prepared in advance. The parent process sends the requests to publish.

const [kind = "bun", gpuCount = "1"] = process.argv.slice(2);
const gpus = Array.from({ length: Number(gpuCount) }, (_, index) => gpuUuid(index));

/** Publishes one record of every GPU. */
type Publish = (second: number) => void;

function startBun(): { port: number; publish: Publish } {
  const server = Bun.serve<string>({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, self) =>
      self.upgrade(request, { data: "" }) ? undefined : new Response("WebSocket only", { status: 426 }),
    websocket: {
      ...socketSettings(parseConfig({})),
      message: (socket, text) => {
        const { filters } = JSON.parse(String(text)) as { filters: { gpu_uuid: string } };
        socket.subscribe(filters.gpu_uuid);
        socket.send("{}");
      },
    },
  });
  const texts = gpus.map((uuid) => textOf(uuid, 0));
  const publish = (): void => gpus.forEach((uuid, index) => server.publish(uuid, texts[index] as string));
  return { port: server.port as number, publish };
}

async function startOurs(): Promise<{ port: number; publish: Publish }> {
  const log = pino({ level: "error" });
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const emptyStore = {
    gpus: () => Promise.resolve([]),
    latest: () => Promise.resolve([]),
    revision: () => Promise.resolve(""),
  };
  const fleet = new FleetProjection({ hotTier, store: emptyStore, clock: systemClock, log });
  await fleet.start();
  const listeners: ((members: readonly FleetMember[]) => void)[] = [];
  const feed = new LiveFeed(kind === "hot" ? fleet : { onMembers: (listener) => void listeners.push(listener) });
  const history = { records: () => Promise.resolve({ elements: [], next: undefined }) };
  const faults = { news: () => Promise.resolve({ news: [], sequence: 0 }) };
  const settings = parseConfig({});
  const app = new Elysia({ websocket: socketSettings(settings) }).use(
    liveRoutes({
      ...{ settings, limit: undefined, log, clock: systemClock, registry: new Registry() },
      viewFor: () => ({ key: "", feed, fleet, queries: { history }, faults, ready: () => Promise.resolve() }),
      stopping: new AbortController().signal,
    }),
  );
  app.listen({ hostname: "127.0.0.1", port: 0 });
  const batch = makeBatch(gpus.map((uuid) => ({ uuid, timeMs: timeOf(0), metrics: values })));
  const members = gpus.map(memberOf);
  const publish: Publish =
    kind === "hot"
      ? (second) => void hotTier.write({ ...batch, timesMs: batch.timesMs.map(() => timeOf(second)) })
      : (second) => {
          const timeMs = timeOf(second);
          const newest = members.map(({ gpu, record }) => ({
            gpu: { ...gpu, reportedAtMs: timeMs },
            record: { ...record, timeMs, metrics: values },
          }));
          listeners.forEach((listener) => listener(newest));
        };
  return { port: app.server?.port as number, publish };
}

function memberOf(uuid: string) {
  const place = { uuid, clusterId: "bench", hostname: "host-a", gpuId: 0 };
  const attributes = { device: "nvidia0", modelName: "NVIDIA H100", driverVersion: "535", properties: {} };
  const gpu: StoredGpu = { ...place, ...attributes, firstSeenAtMs: timeOf(0), lastSeenAtMs: timeOf(0) };
  return { gpu, record: { gpu, timeMs: timeOf(0), metrics: values, custom: {}, occupants: noOccupants } };
}

const { port, publish } = await (kind === "bun" ? Promise.resolve(startBun()) : startOurs());
let second = 0;

/** Publishes records of every GPU.
 *  @param turns  the number of turns of the event loop in which it publishes
 *  @param perTurn  the number of records of each GPU in each turn */
async function run({ turns, perTurn }: { turns: number; perTurn: number }): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) {
    for (let index = 0; index < perTurn; index += 1) publish((second += 1));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

process.on("message", (message: { turns: number; perTurn: number } | "usage") => {
  if (message === "usage") process.send?.(process.cpuUsage());
  else void run(message);
});
process.send?.({ port });
