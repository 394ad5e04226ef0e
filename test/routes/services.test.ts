import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { showServices } from "../../src/scaling/registry/service-instruments.ts";
import { Registry } from "prom-client";
import { instanceOf } from "../contract/service-registry.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

const serviceRegistry = new MemoryServiceRegistry(systemClock);
const collector = instanceOf("collector-2", { load: { samples_per_second: 8.5, cpu_percent: 63.1 } });
const streamer = instanceOf("streamer-1", { roles: ["streamer", "gateway"], state: "unready", errors: ["no etcd"] });
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
beforeAll(async () => {
  stored = await openFleetStore();
  gateway = gatewayOver(stored, { serviceRegistry });
  for (const instance of [streamer, collector]) {
    await serviceRegistry.openEntry(instance.instance_id).put(instance);
  }
});
afterAll(() => stored.close());

describe("the running processes of the pipeline", () => {
  test("are listed by name, with the instant at which the list was read", async () => {
    const beforeMs = Date.now();
    const { as_of: asOf, ...answer } = await gateway.json("/api/v1/services");
    expect(answer).toEqual({ success: true, count: 2, data: [collector, streamer] });
    expect(Date.parse(String(asOf))).toBeGreaterThanOrEqual(beforeMs);
  });

  test("can be chosen by one of their roles; an unknown role is an error", async () => {
    const namesWith = async (role: string): Promise<unknown> =>
      ((await gateway.json(`/api/v1/services?role=${role}`))["data"] as { name: string }[]).map(({ name }) => name);
    expect(await namesWith("collector")).toEqual(["collector-2"]);
    expect(await namesWith("gateway")).toEqual(["streamer-1"]);
    expect((await gateway.json("/api/v1/services?role=cook"))["error"]).toMatchObject({
      ...{ code: "invalid_parameter", details: { parameter: "role" } },
    });
  });

  test("are the same in GraphQL, where a figure that is unknown is null", async () => {
    const query =
      "{ services(role: collector) { name roles state errors load { samplesPerSecond cpuPercent clients } } }";
    const answer = await gateway.json(`/graphql?query=${encodeURIComponent(query)}`);
    expect(answer).toEqual({
      data: {
        services: [
          {
            ...{ name: "collector-2", roles: ["collector"], state: "ready", errors: [] },
            load: { samplesPerSecond: 8.5, cpuPercent: 63.1, clients: null },
          },
        ],
      },
    });
  });

  test("are unknown while etcd does not answer: an error, and no empty list", async () => {
    const list = () => Promise.reject(new EtcdUnavailable("a read at etcd http://etcd-0:2379 failed"));
    const answer = await gatewayOver(stored, { serviceRegistry: { list } }).get("/api/v1/services");
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ success: false, error: { code: "queue_unavailable" } });
    const registry = new Registry();
    showServices({ list }, registry);
    expect(await registry.metrics()).not.toMatch(/^telemetry_services/m);
  });

  test("are counted for Prometheus by role and state", async () => {
    const registry = new Registry();
    showServices(serviceRegistry, registry);
    expect((await registry.metrics()).split("\n").filter((line) => line.startsWith("telemetry_services"))).toEqual([
      'telemetry_services{role="collector",state="ready"} 1',
      'telemetry_services{role="streamer",state="unready"} 1',
      'telemetry_services{role="gateway",state="unready"} 1',
    ]);
  });
});
