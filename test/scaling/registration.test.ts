import { afterEach, describe, expect, test } from "bun:test";
import { until } from "../../dev/until.ts";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import { Registration, type ServiceReport } from "../../src/scaling/registry/registration.ts";
import type { ServiceInstance } from "../../src/scaling/registry/service-instance.ts";
import type { RegistryEntry, ServiceRegistry } from "../../src/scaling/registry/service-registry.ts";
import { instanceOf } from "../contract/service-registry.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const address = { address: "10.1.2.3", port: 8080, url: "http://10.1.2.3:8080" };
const ready: ServiceReport = { health: "ok", errors: [], isReady: true, load: { cpu_percent: 3 } };
const opened: Registration[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((registration) => registration.stop(AbortSignal.abort())));
});

interface TestRegistration {
  readonly clock: ManualClock;
  readonly registration: Registration;
  /** Replaces what the process reports. */
  readonly becomes: (report: Partial<ServiceReport>) => void;
  /** The process's entry; undefined if it has none. */
  readonly entry: () => Promise<ServiceInstance | undefined>;
}

function open(options: { readonly registry?: ServiceRegistry; readonly address?: typeof address | undefined } = {}) {
  const clock = new ManualClock();
  const registry = options.registry ?? new MemoryServiceRegistry(clock);
  let report = ready;
  const registration = new Registration({
    registry,
    identity: instanceOf("host:1"),
    address: "address" in options ? options.address : address,
    report: () => Promise.resolve(report),
    clock,
    log: unshownLog(),
  });
  opened.push(registration);
  return {
    clock,
    registration,
    becomes: (change) => (report = { ...report, ...change }),
    entry: async () => (await registry.list()).instances[0],
  } satisfies TestRegistration;
}

/** A registry that fails while `isAway`. */
function unsteadyRegistry() {
  const inner = new MemoryServiceRegistry(new ManualClock());
  const state = { isAway: true, puts: 0, lose: (): void => undefined };
  const registry: ServiceRegistry = {
    list: () => inner.list(),
    watch: (onChange, signal) => inner.watch(onChange, signal),
    openEntry: (id, onLost) => {
      const entry: RegistryEntry = inner.openEntry(id);
      state.lose = onLost;
      return {
        remove: () => entry.remove(),
        put: (instance) => {
          state.puts += 1;
          return state.isAway ? Promise.reject(new EtcdUnavailable("etcd is away")) : entry.put(instance);
        },
      };
    },
  };
  return { registry, state };
}

describe("a process in the list of services", () => {
  test("is starting, then ready as soon as it listens, then draining as soon as it is told to stop, then gone", async () => {
    const { clock, registration, entry } = open();
    await registration.start();
    await clock.advance(0);
    expect(await entry()).toMatchObject({ state: "starting", ...address });
    registration.serve({ ...address, port: 9000 });
    await clock.advance(0);
    expect(await entry()).toMatchObject({ state: "ready", port: 9000, health: "ok", load: { cpu_percent: 3 } });
    registration.drain();
    await clock.advance(0);
    expect(await entry()).toMatchObject({ state: "draining", port: 9000 });
    await registration.stop(AbortSignal.timeout(1000));
    expect(await entry()).toBeUndefined();
  });

  test("is not listed before its port is known", async () => {
    const { clock, registration, entry } = open({ address: undefined });
    await registration.start();
    await clock.advance(6000);
    expect(await entry()).toBeUndefined();
    registration.serve(address);
    await clock.advance(0);
    expect(await entry()).toMatchObject({ state: "ready" });
  });

  test("shows every 5 s what it reports", async () => {
    const { clock, registration, becomes, entry } = open();
    await registration.start();
    registration.serve(address);
    await clock.advance(0);
    const before = await entry();
    becomes({ health: "down", errors: ["the store does not answer"], isReady: false });
    await clock.advance(4900);
    expect(await entry()).toEqual(before as ServiceInstance);
    await clock.advance(200);
    expect(await entry()).toMatchObject({ state: "unready", health: "down", errors: ["the store does not answer"] });
    expect(Date.parse((await entry())?.updated_at ?? "")).toBe(Date.parse(before?.updated_at ?? "") + 5000);
  });

  test("stays draining, even if a report from before arrives later", async () => {
    const { clock, registration, entry } = open();
    await registration.start();
    registration.serve(address);
    registration.drain();
    await clock.advance(20_000);
    expect(await entry()).toMatchObject({ state: "draining" });
  });

  test("registers as soon as the registry answers; until then, its error says that others may not see it", async () => {
    const { registry, state } = unsteadyRegistry();
    const { clock, registration, entry } = open({ registry });
    await registration.start();
    await clock.advance(2500);
    expect(state.puts).toBe(3);
    expect(registration.error()).toBe("other processes may not see this one: etcd is away");
    state.isAway = false;
    await clock.advance(1000);
    expect(registration.error()).toBeUndefined();
    expect(await entry()).toMatchObject({ state: "starting" });
  });

  test("registers again at once when the registry has lost it", async () => {
    const { registry, state } = unsteadyRegistry();
    state.isAway = false;
    const { clock, registration } = open({ registry });
    await registration.start();
    await clock.advance(0);
    const before = state.puts;
    state.lose();
    await clock.advance(0);
    expect(state.puts).toBe(before + 1);
  });

  test("does not hold up the stop if the registry never answers", async () => {
    const { registry } = unsteadyRegistry();
    const stuck: ServiceRegistry = {
      ...registry,
      openEntry: () => ({ put: () => new Promise(() => undefined), remove: () => new Promise(() => undefined) }),
    };
    const { clock, registration } = open({ registry: stuck });
    await registration.start();
    await clock.advance(0);
    const stopping = registration.stop(AbortSignal.timeout(60_000));
    await clock.advance(1000);
    await stopping;
    await until(() => Promise.resolve(clock.sleeperCount === 0));
  });
});
