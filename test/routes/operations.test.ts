import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Counter, Registry } from "prom-client";
import type { Service } from "../../src/kit/service.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
beforeAll(async () => {
  stored = await openFleetStore();
});
afterAll(() => stored.close());

function serviceWith(name: string, error: () => string | undefined): Service {
  return {
    name,
    isUpkeep: false,
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    error,
    activity: () => undefined,
  };
}

describe("/health", () => {
  test("has version, role, uptime and each part's state", async () => {
    const clock = new ManualClock();
    const gateway = gatewayOver(stored, {
      clock,
      roles: ["collector", "gateway"],
      services: [serviceWith("collector", () => undefined)],
    });
    await clock.advance(61_900);
    expect(await gateway.json("/health")).toEqual({
      status: "ok",
      version: "1.2.3",
      role: "collector,gateway",
      cluster_id: "alpha",
      uptime_seconds: 61,
      components: { store: { status: "ok" }, queue: { status: "ok" }, collector: { status: "ok" } },
    });
    expect(await gateway.json("/health/live")).toEqual({ status: "ok", reasons: [] });
    expect(await gateway.json("/health/ready")).toEqual({ status: "ok", reasons: [] });
  });

  test("while a service has an error, the process is degraded for that reason and not ready", async () => {
    const failure: { reason: string | undefined } = { reason: "streaming stopped: fleet.csv cannot be read" };
    const gateway = gatewayOver(stored, { services: [serviceWith("streamer", () => failure.reason)] });
    expect((await gateway.get("/health")).status).toBe(200);
    expect(await gateway.json("/health")).toMatchObject({
      status: "degraded",
      components: { streamer: { status: "degraded", reason: failure.reason } },
    });
    const ready = await gateway.get("/health/ready");
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ status: "unavailable", reasons: [failure.reason] });
    expect((await gateway.get("/health/live")).status).toBe(200);
    failure.reason = undefined;
    expect((await gateway.get("/health/ready")).status).toBe(200);
  });

  test("a gateway without the fleet in memory is down if its store does not answer: 503, not ready, and still alive", async () => {
    const closedStore = await openFleetStore();
    await closedStore.close();
    const gateway = gatewayOver(closedStore);
    const health = await gateway.get("/health");
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({
      status: "down",
      components: {
        store: { status: "down", reason: expect.stringContaining("the store does not answer") as unknown },
      },
    });
    expect((await gateway.get("/health/ready")).status).toBe(503);
    expect((await gateway.get("/health/live")).status).toBe(200);
  });

  test("a store that hangs counts as down after two seconds", async () => {
    const clock = new ManualClock();
    const hanging = { ping: () => new Promise<never>(() => undefined) };
    const gateway = gatewayOver(stored, { clock, store: hanging, roles: ["collector"], fleet: undefined });
    const answer = gateway.get("/health/ready");
    await clock.advance(2000);
    expect((await answer).status).toBe(503);
  });

  test("without a store, a gateway with the fleet in memory is degraded but ready: it serves the fleet from memory", async () => {
    const leaving = await openFleetStore();
    const gateway = gatewayOver(leaving);
    expect((await gateway.get("/api/v1/gpus")).status).toBe(200);
    await leaving.close();
    const health = await gateway.get("/health");
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ status: "degraded", components: { store: { status: "down" } } });
    expect((await gateway.get("/health/ready")).status).toBe(200);
    for (const path of ["gpus", "gpus/GPU-host-a-0", "hosts", "clusters/alpha/hosts/host-a", "telemetry/latest"]) {
      expect([path, (await gateway.get(`/api/v1/${path}`)).status]).toEqual([path, 200]);
    }
    for (const path of ["telemetry", "gpus/GPU-host-a-0/telemetry", "clusters/alpha/stats", "quarantine"]) {
      expect(await gateway.json(`/api/v1/${path}`)).toMatchObject({ error: { code: "store_unavailable" } });
    }
  });

  test("a process that others may not see does its work, so it is degraded but ready", async () => {
    const services = [serviceWith("registry", () => "other processes may not see this one: etcd refused it")];
    const gateway = gatewayOver(stored, { services, roles: ["collector"], fleet: undefined });
    expect(await gateway.json("/health")).toMatchObject({ status: "degraded" });
    expect((await gateway.get("/health/ready")).status).toBe(200);
  });

  test.each(["retention", "settling", "messages"])(
    "while %s fails, old history takes more room: degraded but ready",
    async (name) => {
      const services = [serviceWith(name, () => "the disk is full")];
      const gateway = gatewayOver(stored, { services });
      expect(await gateway.json("/health")).toMatchObject({ status: "degraded" });
      expect((await gateway.get("/health/ready")).status).toBe(200);
    },
  );

  test("while the GPUs of its own machine cannot be read, a process does its other work, so it is degraded but ready", async () => {
    const services = [serviceWith("nvidia-smi", () => "GPUs are not read: nvidia-smi is not installed")];
    const gateway = gatewayOver(stored, { services, roles: ["streamer"], fleet: undefined });
    expect(await gateway.json("/health")).toMatchObject({ status: "degraded" });
    expect((await gateway.get("/health/ready")).status).toBe(200);
  });

  test("dead letters degrade the queue, and therefore the process", async () => {
    const gateway = gatewayOver(stored);
    await addDeadLetter(gateway);
    expect(await gateway.json("/health")).toMatchObject({
      status: "degraded",
      components: {
        queue: { status: "degraded", reason: expect.stringContaining("1 dead letter(s)") as unknown },
      },
    });
    expect(await (await gateway.get("/metrics")).text()).toContain("telemetry_queue_dead_messages 1\n");
  });

  test("long before the oldest dead letters are deleted, /health says from which number on they will be", async () => {
    const gateway = gatewayOver(stored);
    for (let letter = 0; letter < 250; letter += 1) await addDeadLetter(gateway, String(letter));
    const { components } = (await gateway.json("/health")) as { components: { queue: { reason: string } } };
    expect(components.queue.reason).toStartWith("250 dead letter(s)");
    expect(components.queue.reason).toEndWith(
      "; when there are more than 500 (QUEUE_MAX_DEAD_LETTERS), the oldest are deleted with their records",
    );
  });
});

describe("/metrics", () => {
  test("has the state of queue, services and process, and the instruments of other parts", async () => {
    const registry = new Registry();
    new Counter({ name: "telemetry_things_total", help: "of another part", registers: [registry] }).inc(3);
    const services = [serviceWith("collector", () => undefined), serviceWith("streamer", () => "stopped")];
    const gateway = gatewayOver(stored, { registry, services });
    const response = await gateway.get("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const lines = (await response.text()).split("\n");
    expect(lines).toContain("telemetry_things_total 3");
    expect(lines).toContain("telemetry_queue_up 1");
    expect(lines).toContain("telemetry_queue_ready_messages 0");
    expect(lines).toContain("telemetry_queue_capacity_messages 10");
    expect(lines).toContain("telemetry_queue_oldest_message_age_seconds 0");
    expect(lines).toContain('telemetry_service_up{service="collector"} 1');
    expect(lines).toContain('telemetry_service_up{service="streamer"} 0');
    expect(lines).toContain('telemetry_build_info{version="1.2.3"} 1');
    expect(lines).toContain("# TYPE process_cpu_seconds_total counter");
    expect(lines.some((line) => /^process_resident_memory_bytes [1-9]/.test(line))).toBe(true);
  });

  test("requests are counted by method, route and status, never by a path that a client made up", async () => {
    const gateway = gatewayOver(stored);
    await gateway.get("/api/v1/gpus/GPU-host-a-0");
    await gateway.get("/api/v1/gpus/GPU-made-up");
    await gateway.get("/made/up");
    await gateway.get("/api/v1/gpus", { method: "PROPFIND" });
    await gateway.get("/swagger");
    const count = "telemetry_http_request_duration_seconds_count";
    const expected = [
      `${count}{method="GET",route="/api/v1/gpus/:uuid",status="200"} 1`,
      `${count}{method="GET",route="/api/v1/gpus/:uuid",status="404"} 1`,
      `${count}{method="GET",route="unmatched",status="404"} 1`,
      `${count}{method="other",route="unmatched",status="405"} 1`,
      `${count}{method="GET",route="/swagger",status="302"} 1`,
    ];
    const lines = await instrumentLines(gateway, expected);
    expect(lines.filter((line) => expected.includes(line)).sort()).toEqual(expected.sort());
    expect(lines.join("\n")).not.toContain("made-up");
  });
});

test("a process without the gateway serves health and metrics, but neither the API nor its documentation", async () => {
  const gateway = gatewayOver(stored, { roles: ["streamer", "collector"], fleet: undefined });
  for (const path of ["/health", "/health/live", "/health/ready", "/metrics"]) {
    expect((await gateway.get(path)).status).toBe(200);
  }
  for (const path of ["/api/v1/gpus", "/swagger/", "/docs"]) expect((await gateway.get(path)).status).toBe(404);
});

async function addDeadLetter({ queue }: TestGateway, idempotencyKey = "k"): Promise<void> {
  const { signal } = new AbortController();
  const source = { sourceId: "s", from: { offset: 0, line: 1 }, to: { offset: 1, line: 2 } };
  const payload = new Uint8Array(1);
  const about = { idempotencyKey, traceId: "t", schemaVersion: "v1", encoding: "none", count: 1 };
  await queue.publish([{ ...about, source, payload }], { signal });
  for (const delivery of await queue.claim({ consumerId: "c", maxMessages: 1, signal })) {
    await queue.reject(delivery, "unusable");
  }
}

/** Reads /metrics until it has these lines, at most 100 times: a request is counted after its answer has been sent. */
async function instrumentLines(gateway: TestGateway, wanted: readonly string[]): Promise<string[]> {
  let lines: string[] = [];
  for (let tries = 0; tries < 100; tries += 1) {
    lines = (await (await gateway.get("/metrics")).text()).split("\n");
    if (wanted.every((line) => lines.includes(line))) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return lines;
}
