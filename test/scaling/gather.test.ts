import { expect, test } from "bun:test";
import { formatTimestamp } from "../../src/domain/timestamp.ts";
import { liveOf, signalsOf } from "../../src/scaling/coordinator/gather.ts";
import type { ServiceInstance } from "../../src/scaling/registry/service-instance.ts";
import { instanceOf } from "../contract/service-registry.ts";
import { nowMs } from "./scaling-input.ts";

const ago = (seconds: number): string => formatTimestamp(nowMs - seconds * 1000);

function collector(name: string, changes: Partial<ServiceInstance>): ServiceInstance {
  const times = { started_at: ago(600), updated_at: ago(1) };
  return { ...instanceOf(name), ...times, roles: ["collector"], state: "ready", health: "ok", load: {}, ...changes };
}

const signals = (...instances: ServiceInstance[]) => signalsOf({ queue: undefined, instances, nowMs });
const stores = (rate: number): Partial<ServiceInstance> => ({ load: { stored_messages_per_second: rate } });

test("a rate is the sum of all processes, and as old as the oldest report", () => {
  const { queue } = signals(collector("a", stores(10)), collector("b", { ...stores(5), updated_at: ago(7) }));
  expect(queue.drainPerSecond).toEqual({ value: 15, atMs: nowMs - 7000 });
});

test("a rate is unknown, not smaller, if a process does not report it; a process that has only just started stores nothing yet", () => {
  expect(signals(collector("a", stores(10)), collector("b", {})).queue.drainPerSecond).toBeUndefined();
  const started = collector("b", { started_at: ago(3) });
  expect(signals(collector("a", stores(10)), started).queue.drainPerSecond?.value).toBe(10);
});

test("no process at all stores nothing; processes that are not listed are unknown", () => {
  expect(signals().queue.drainPerSecond).toEqual({ value: 0, atMs: nowMs });
  expect(signalsOf({ queue: undefined, instances: undefined, nowMs }).queue.drainPerSecond).toBeUndefined();
});

test("processes that are starting or about to stop do not count", () => {
  const states = ["starting", "ready", "unready", "draining"] as const;
  const instances = states.map((state) => collector(state, { state }));
  expect(liveOf(instances, "collector").map(({ name }) => name)).toEqual(["ready", "unready"]);
  expect(liveOf(instances, "gateway")).toEqual([]);
});

test("a process with all roles counts for each of them", () => {
  const load = {
    published_messages_per_second: 4,
    stored_messages_per_second: 3,
    clients: 2,
    cpu_percent: 50,
    targets: 1,
  };
  const all = collector("all", { roles: ["streamer", "collector", "gateway"], load });
  const { queue, streamers, gateways } = signals(all);
  expect([queue.arrivalPerSecond?.value, queue.drainPerSecond?.value]).toEqual([4, 3]);
  expect([streamers.targets?.value, streamers.ranges, gateways.clients?.value]).toEqual([1, undefined, 2]);
});

test("of latencies the greatest counts, of processor times the mean; failing processes are counted", () => {
  const gateway = (latency_ms_p95: number, cpu_percent: number): ServiceInstance =>
    collector(`gateway-${latency_ms_p95}`, { roles: ["gateway"], load: { latency_ms_p95, cpu_percent } });
  const { gateways } = signals(gateway(100, 20), gateway(900, 60));
  expect([gateways.latencyMsP95?.value, gateways.cpuPercent?.value]).toEqual([900, 40]);
  const failing = collector("a", { health: "degraded", errors: ["collecting is held up"] });
  expect(signals(failing, collector("b", {})).collectors.failing?.value).toBe(1);
});
