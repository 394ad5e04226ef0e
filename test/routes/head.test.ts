import { afterAll, beforeAll, expect, test } from "bun:test";
import net from "node:net";
import { systemClock } from "../../src/kit/clock.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { MemoryTargetStates } from "../../src/pipeline/source/states/memory/memory-target-states.ts";
import type { TelemetryQueries } from "../../src/pipeline/store/telemetry-queries.ts";
import { administrationOf } from "../../src/roles/open-access.ts";
import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { gatewayOver, openFleetStore } from "./gateway.ts";
import { listening } from "../support/listening.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
beforeAll(async () => void (stored = await openFleetStore()));
afterAll(() => stored.close());

/** A gateway whose store notes the names of the queries that it is asked. */
function notingGateway() {
  const asked: string[] = [];
  const noting = <Queries extends object>(queries: Queries): Queries =>
    new Proxy(queries, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        return (...given: unknown[]): unknown => {
          asked.push(String(name));
          return Reflect.apply(value, target, given);
        };
      },
    });
  const { fleet, history, quarantine, aggregates, coverage, settling, ...others } = stored.queries;
  const inventory = noting(stored.inventory);
  const serviceRegistry = noting(new MemoryServiceRegistry(systemClock));
  const targetStates = noting(new MemoryTargetStates(systemClock));
  const scaling = noting(new MemoryScalingRecords("one"));
  const deadLetters = noting(
    new MemoryQueue({ topic: "t", clock: systemClock, capacityMessages: 10, leaseSeconds: 30, maxAttempts: 1 }),
  );
  const queries: TelemetryQueries = {
    ...others,
    ...{
      fleet: { ...fleet, gpus: (filter) => fleet.gpus(filter), changes: noting(fleet).changes },
      history: noting(history),
      quarantine: noting(quarantine),
      settling: noting(settling),
    },
    ...{ aggregates: noting(aggregates), coverage: noting(coverage) },
  };
  const store = { ...stored, inventory };
  const administration = administrationOf(noting(stored.client), undefined);
  const parts = { administration, queries, serviceRegistry, targetStates, scaling, deadLetters };
  return { gateway: gatewayOver(store, parts), asked };
}

const range = "start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z";
const paths = [
  "/api/v1/telemetry",
  "/api/v1/telemetry?resolution=1h",
  "/api/v1/gpus/GPU-host-a-0/telemetry",
  `/api/v1/telemetry/aggregates?group_by=gpu&resolution=1m&${range}`,
  "/api/v1/coverage",
  "/api/v1/quarantine",
  "/api/v1/metrics/series",
  "/api/v1/gpus/GPU-host-a-0/changes",
  "/api/v1/inventory",
  "/api/v1/targets",
  "/api/v1/services",
  "/api/v1/scaling",
  "/api/v1/pipeline",
  "/api/v1/pipeline/dead-letters",
  "/api/v1/keys",
  "/api/v1/audit",
];
const graphql = "/graphql?query={telemetry(limit:1){records{uuid}}}";

test("HEAD of what the store answers reads nothing from it, and has the headers of GET", async () => {
  const { gateway, asked } = notingGateway();
  const ask = async (path: string, accept: string): Promise<void> => {
    const get = await gateway.get(path, { headers: { accept } });
    await get.arrayBuffer();
    const needsStore = asked.splice(0).length > 0;
    const head = await gateway.get(path, { method: "HEAD", headers: { accept } });
    expect([path, accept, head.status, asked]).toEqual([path, accept, get.status, []]);
    const types = [head, get].map(({ headers }) => headers.get("content-type")?.split(";")[0]);
    expect([path, types[0]]).toEqual([path, types[1]]);
    if (accept === "application/json") expect([path, needsStore]).toEqual([path, true]);
  };
  for (const path of paths) {
    for (const accept of ["application/json", "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"])
      await ask(path, accept);
  }
  await ask(graphql, "application/graphql-response+json");
});

test("HEAD checks the parameters and the GPU as GET does", async () => {
  const { gateway } = notingGateway();
  const status = async (path: string) => (await gateway.get(path, { method: "HEAD" })).status;
  expect(await status("/api/v1/telemetry?limit=x")).toBe(400);
  expect(await status("/api/v1/gpus/none/telemetry")).toBe(404);
  expect(await status("/api/v1/gpus/none/changes")).toBe(404);
});

test("HEAD does not say a length that it has not counted", async () => {
  const { gateway } = notingGateway();
  const port = await listening(gateway);
  for (const path of [...paths, graphql]) {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = net.connect(port, "127.0.0.1", () =>
        socket.write(`HEAD ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`),
      );
      let received = "";
      socket.on("data", (chunk) => (received += chunk.toString()));
      socket.on("error", reject).on("close", () => resolve(received));
    });
    expect([path, answer.slice(0, 12), /content-length/i.test(answer)]).toEqual([path, "HTTP/1.1 200", false]);
    expect(answer).toEndWith("\r\n\r\n");
  }
  await gateway.app.stop(true);
});
