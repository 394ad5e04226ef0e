import { expect, test } from "bun:test";
import { Histogram, Registry } from "prom-client";
import { requestDuration } from "../../src/routes/operations/http-instruments.ts";
import { RequestLatency } from "../../src/routes/operations/request-latency.ts";

function openLatency() {
  const registry = new Registry();
  const labelNames = ["method", "route", "status"];
  const buckets = [0.01, 0.1, 1];
  const histogram = new Histogram({ name: requestDuration, help: "x", labelNames, buckets, registers: [registry] });
  return {
    latency: new RequestLatency(registry),
    requests: (route: string, seconds: number, count: number): void => {
      for (let sent = 0; sent < count; sent += 1) histogram.observe({ method: "GET", route, status: 200 }, seconds);
    },
  };
}

test("the latency of a gateway is unknown while no client sends a request; probes are no clients", async () => {
  const { latency, requests } = openLatency();
  expect(await latency.p95Ms()).toBeUndefined();
  requests("/health/ready", 0.5, 100);
  requests("/metrics", 0.5, 100);
  expect(await latency.p95Ms()).toBeUndefined();
});

test("the latency of a gateway is the 95th percentile over all routes since the last reading", async () => {
  const { latency, requests } = openLatency();
  requests("/api/v1/gpus", 0.005, 90);
  requests("/graphql", 0.05, 10);
  // 95 of 100: the middle of the 10 requests between 10 and 100 ms
  expect(await latency.p95Ms()).toBe(55);
  expect(await latency.p95Ms()).toBeUndefined();
  requests("/api/v1/gpus", 0.005, 20);
  expect(await latency.p95Ms()).toBe(9.5);
});

test("of requests that took longer than the last bound, only that bound is known", async () => {
  const { latency, requests } = openLatency();
  requests("/api/v1/telemetry", 30, 5);
  expect(await latency.p95Ms()).toBe(1000);
});

test("a process without instruments has no latency", async () => {
  expect(await new RequestLatency(new Registry()).p95Ms()).toBeUndefined();
});
