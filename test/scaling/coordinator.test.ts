import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Registry } from "prom-client";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { aborted } from "../../src/kit/aborted.ts";
import { formatTimestamp } from "../../src/domain/timestamp.ts";
import type { QueueStats } from "../../src/pipeline/queue/queue.ts";
import { Coordinator } from "../../src/scaling/coordinator/coordinator.ts";
import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import { defaultPolicy } from "../../src/scaling/coordinator/policy.ts";
import { ScalingInstruments } from "../../src/scaling/coordinator/scaling-instruments.ts";
import type { ScalingRecords } from "../../src/scaling/coordinator/scaling-records.ts";
import type { LeaderElection } from "../../src/scaling/election/leader-election.ts";
import { MemoryLeaderElection } from "../../src/scaling/election/memory/memory-leader-election.ts";
import type { Executor, ScaleRequest } from "../../src/scaling/executor/executor.ts";
import { NoExecutor } from "../../src/scaling/executor/none/no-executor.ts";
import { MemoryServiceRegistry } from "../../src/scaling/registry/memory/memory-service-registry.ts";
import type { ServiceRegistry } from "../../src/scaling/registry/service-registry.ts";
import type { ServiceInstance } from "../../src/scaling/registry/service-instance.ts";
import { instanceOf } from "../contract/service-registry.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const log = unshownLog();

/** A pipeline without processes: tests say which instances it has. */
class Surroundings {
  readonly clock = new ManualClock();
  readonly registry = new Registry();
  readonly services: ServiceRegistry = new MemoryServiceRegistry(this.clock);
  election: LeaderElection = new MemoryLeaderElection();
  records: ScalingRecords = new MemoryScalingRecords("one");
  executor: Executor = new NoExecutor();
  stats: Partial<QueueStats> = {};
  isQueueDown = false;
  private coordinators: Coordinator[] = [];

  start(instanceId = "one"): Promise<void> {
    const { clock, services, election, records, executor } = this;
    const instruments = new ScalingInstruments(instanceId === "one" ? this.registry : new Registry());
    const queue = { stats: () => this.readStats() };
    const parts = { clock, services, election, records, executor, queue, instruments, instanceId };
    const coordinator = new Coordinator({ ...parts, policy: defaultPolicy, log });
    this.coordinators.push(coordinator);
    return coordinator.start();
  }

  get first(): Coordinator {
    return this.coordinators[0] as Coordinator;
  }

  get last(): Coordinator {
    return this.coordinators.at(-1) as Coordinator;
  }

  async stop(): Promise<void> {
    for (const coordinator of this.coordinators) await coordinator.stop(AbortSignal.timeout(1000));
  }

  /** Lists a process that reports every second. */
  async add(id: string, changes: Partial<ServiceInstance>): Promise<void> {
    await this.services
      .openEntry(id, () => undefined)
      .put({
        ...instanceOf(id),
        state: "ready",
        health: "ok",
        started_at: formatTimestamp(this.clock.nowMs() - 60_000),
        updated_at: formatTimestamp(this.clock.nowMs()),
        ...changes,
      });
  }

  private readStats(): Promise<QueueStats> {
    if (this.isQueueDown) return Promise.reject(new EtcdUnavailable("etcd does not answer"));
    const none = {
      ...{ readyMessages: 0, inFlightMessages: 0, deadMessages: 0, deadCapacityMessages: 500 },
      ...{ capacityMessages: 500, oldestAgeMs: 0, leftMessages: 0 },
    };
    return Promise.resolve({ ...none, ...this.stats });
  }
}

let around: Surroundings;
beforeEach(() => {
  around = new Surroundings();
});
afterEach(() => around.stop());

async function addWorkers(collectors: number, changes: Partial<ServiceInstance> = {}): Promise<void> {
  const load = { published_messages_per_second: 80, cpu_percent: 20 };
  await around.add("streamer-1", { roles: ["streamer"], load, ...changes });
  for (let number = 1; number <= collectors; number += 1) {
    const stores = { stored_messages_per_second: 10 };
    await around.add(`collector-${number}`, { roles: ["collector"], load: stores, ...changes });
  }
  for (let number = 1; number <= 2; number += 1) {
    await around.add(`gateway-${number}`, { roles: ["gateway"], load: { clients: 3, cpu_percent: 5 }, ...changes });
  }
}

describe("a coordinator", () => {
  test("records decisions about every role, with signals, figures and policy", async () => {
    await addWorkers(2);
    around.stats = { readyMessages: 40, inFlightMessages: 2, oldestAgeMs: 2500 };
    await around.start();
    await around.clock.advance(0);
    const { state, figures, leader, changes } = await around.records.read(10);
    expect(leader?.instanceId).toBe("one");
    expect(state?.desired).toEqual({ streamer: 1, collector: 2, gateway: 2 });
    expect(state?.actual).toEqual({ streamer: 1, collector: 2, gateway: 2 });
    expect(state?.signals.queue).toMatchObject({ arrival_per_second: { value: 80 }, drain_per_second: { value: 20 } });
    expect(state?.policy.collector).toMatchObject({ max: 10, age_target_seconds: 5, low_messages: 250 });
    expect(figures).toMatchObject({ backlogMessages: 42, oldestAgeSeconds: 2.5, desired: { collector: 2 } });
    expect(changes).toEqual([]);
    expect(around.first.activity()).toContain("leads in term 1: streamers 1, collectors 2, gateways 2");
  });

  test("has the executor carry out what changes a count, once, with its term", async () => {
    const requests: ScaleRequest[] = [];
    around.executor = {
      name: "local",
      scale: (request) => Promise.resolve(void requests.push(request)),
      check: () => Promise.resolve(),
      requested: () => Promise.resolve(undefined),
    };
    await addWorkers(2);
    around.stats = { readyMessages: 100, oldestAgeMs: 9000 };
    await around.start();
    await around.clock.advance(20_000);
    const up = requests.filter(({ role }) => role === "collector");
    expect(up[0]).toMatchObject({ count: 3, term: "1" });
    const { changes } = await around.records.read(10);
    expect(changes.map(({ to }) => to)).toEqual(up.map(({ count }) => count).toReversed());
    expect(await around.registry.metrics()).toContain(
      'telemetry_scaling_decisions_total{role="collector",direction="up"} 1',
    );
  });

  test("repeats a request that was not accepted, and says so", async () => {
    const counts: number[] = [];
    let isDown = true;
    around.executor = {
      name: "local",
      scale: ({ count }) => {
        counts.push(count);
        return isDown ? Promise.reject(new Error("no supervisor")) : Promise.resolve();
      },
      check: () => Promise.resolve(),
      requested: () => Promise.resolve(undefined),
    };
    await around.add("gateway-1", { roles: ["gateway"] });
    await around.start();
    await around.clock.advance(0);
    expect(around.first.error()).toContain("no supervisor");
    isDown = false;
    await around.clock.advance(6000);
    expect(around.first.error()).toBeUndefined();
    expect(counts.filter((count) => count === 2).length).toBeGreaterThanOrEqual(2);
  });

  test("says at once what its executor lacks, and asks again until nothing is missing", async () => {
    let missing: string | undefined = "a right is missing";
    around.executor = {
      name: "local",
      scale: () => Promise.resolve(),
      check: () => (missing === undefined ? Promise.resolve() : Promise.reject(new Error(missing))),
      requested: () => Promise.reject(new Error("no counts")),
    };
    around.election = { campaign: async (signal) => (await aborted(signal), undefined) };
    await around.start();
    await around.clock.advance(0);
    expect(around.first.error()).toBe("decided numbers of processes cannot be carried out: a right is missing");
    around.election = new MemoryLeaderElection();
    await around.start("two");
    await around.clock.advance(0);
    expect(around.last.error()).toContain("a right is missing");
    missing = undefined;
    await around.clock.advance(5000);
    expect(around.last.error()).toBe("the requested numbers of processes cannot be read: no counts");
  });

  test("starts from a count that others have requested", async () => {
    around.executor = {
      name: "local",
      scale: () => Promise.resolve(),
      check: () => Promise.resolve(),
      requested: (role) => Promise.resolve(role === "collector" ? { count: 6, command: undefined } : undefined),
    };
    await addWorkers(2);
    await around.start();
    await around.clock.advance(0);
    expect((await around.records.read(1)).state?.desired.collector).toBe(6);
  });

  test("keeps what a command has set, which is a change like its own: no step follows at once", async () => {
    const command = (count: number) => ({ count, command: { count, atMs: around.clock.nowMs() } });
    around.executor = {
      name: "local",
      scale: () => Promise.resolve(),
      check: () => Promise.resolve(),
      requested: (role) => Promise.resolve({ streamer: command(1), collector: command(4), gateway: command(9) }[role]),
    };
    await addWorkers(2);
    await around.start();
    await around.clock.advance(0);
    const idle = (await around.records.read(1)).state?.newest;
    expect(idle?.map(({ to, code }) => [to, code])).toEqual([
      [1, "steady"],
      [4, "set_by_command"],
      [5, "above_maximum"],
    ]);
    expect(idle?.[2]?.reason).toEndWith("; 0 s ago, a command set 9");
    around.stats = { readyMessages: 100, oldestAgeMs: 9000 };
    await around.clock.advance(5000);
    const busy = (await around.records.read(1)).state?.newest[1];
    expect([busy?.to, busy?.code]).toEqual([4, "starting"]);
  });

  test("follows a command that came after a decision that was not accepted yet", async () => {
    const asked: number[] = [];
    const commands: number[] = [];
    around.executor = {
      name: "local",
      scale: ({ count }) => (asked.push(count), Promise.reject(new Error("no supervisor"))),
      check: () => Promise.resolve(),
      requested: (role) => {
        const atMs = commands.at(-1);
        if (role !== "gateway" || atMs === undefined) return Promise.resolve(undefined);
        return Promise.resolve({ count: 4, command: { count: 4, atMs } });
      },
    };
    await around.add("gateway-1", { roles: ["gateway"], load: { clients: 3, cpu_percent: 5 } });
    await around.start();
    await around.clock.advance(1000);
    commands.push(around.clock.nowMs());
    const before = asked.length;
    await around.clock.advance(5000);
    expect((await around.records.read(1)).state?.desired.gateway).toBe(4);
    expect(asked.slice(before)).not.toContain(2);
  });

  test("keeps the counts while the queue does not answer, and publishes no backlog", async () => {
    await addWorkers(2);
    await around.start();
    await around.clock.advance(0);
    around.isQueueDown = true;
    await around.clock.advance(5000);
    const { state, figures } = await around.records.read(1);
    expect(figures).toEqual({
      backlogMessages: undefined,
      oldestAgeSeconds: undefined,
      desired: { streamer: 1, collector: 2, gateway: 2 },
    });
    expect(state?.newest.find(({ role }) => role === "collector")).toMatchObject({ code: "signals_missing", to: 2 });
  });

  test("keeps the counts when processes stop to report: their figures are too old", async () => {
    await addWorkers(2);
    await around.start();
    await around.clock.advance(20_000);
    const { state } = await around.records.read(1);
    expect(state?.newest.map(({ role, code }) => [role, code])).toEqual([
      ["streamer", "signals_stale"],
      ["collector", "signals_stale"],
      ["gateway", "signals_stale"],
    ]);
  });

  test("counts a process that died and the one that was started in its place once, with the figures of the new one", async () => {
    const ago = (seconds: number): string => formatTimestamp(around.clock.nowMs() - seconds * 1000);
    await addWorkers(2, { started_at: ago(5) });
    const dead = { name: "collector-2", started_at: ago(600), updated_at: ago(8) };
    await around.add("dead", { ...dead, roles: ["collector"], load: { stored_messages_per_second: 90 } });
    await around.start();
    await around.clock.advance(0);
    const { state } = await around.records.read(1);
    expect(state?.actual.collector).toBe(2);
    expect(state?.signals.queue.drain_per_second?.value).toBe(20);
  });

  for (const skewMs of [-3_600_000, 3_600_000]) {
    test(`decides although the clocks of the others differ by ${skewMs / 1000} s: what counts is when their reports change`, async () => {
      const report = async (): Promise<void> => {
        const updatedAt = formatTimestamp(around.clock.nowMs() + skewMs);
        const startedAt = formatTimestamp(around.clock.nowMs() + skewMs - 60_000);
        await addWorkers(2, { updated_at: updatedAt, started_at: startedAt });
      };
      const codes = async (): Promise<Set<string>> => {
        await around.clock.advance(5000);
        return new Set((await around.records.read(1)).state?.newest.map(({ code }) => code));
      };
      await report();
      await around.start();
      await around.clock.advance(1000);
      await report();
      expect(await codes()).not.toContain("signals_stale");
      // they stop to report
      await around.clock.advance(15_000);
      expect(await codes()).toEqual(new Set(["signals_stale"]));
    });
  }

  test("carries out nothing that was not recorded", async () => {
    const requests: ScaleRequest[] = [];
    around.executor = {
      name: "local",
      scale: (request) => Promise.resolve(void requests.push(request)),
      check: () => Promise.resolve(),
      requested: () => Promise.resolve(undefined),
    };
    const { records } = around;
    around.records = {
      read: (max) => records.read(max),
      write: () => Promise.reject(new EtcdUnavailable("etcd does not answer")),
    };
    await around.add("gateway-1", { roles: ["gateway"] });
    await around.start();
    await around.clock.advance(20_000);
    expect(requests).toEqual([]);
    expect(around.first.error()).toContain("etcd does not answer");
  });
});

describe("of several coordinators", () => {
  test("one decides; when it stops, the next continues with its memory, and does not decide again", async () => {
    await around.add("gateway-1", { roles: ["gateway"] });
    await around.start("one");
    await around.start("two");
    await around.clock.advance(5000);
    expect((await around.records.read(10)).changes.map(({ role, to }) => [role, to])).toContainEqual(["gateway", 2]);
    const before = (await around.records.read(10)).changes.length;
    await around.first.stop(AbortSignal.timeout(1000));
    await around.clock.advance(5000);
    const after = await around.records.read(10);
    expect(after.leader?.term).toBe("2");
    expect(after.changes.length).toBe(before);
    expect(around.first.activity()).toContain("stands by");
  });

  test("the next one keeps what a command has set, though its executor knows of no command", async () => {
    let command: { count: number; atMs: number } | undefined = { count: 4, atMs: around.clock.nowMs() };
    around.executor = {
      name: "kubernetes",
      scale: () => Promise.resolve(),
      check: () => Promise.resolve(),
      requested: (role) => Promise.resolve(role === "collector" ? { count: 4, command } : undefined),
    };
    await addWorkers(4);
    await around.start("one");
    await around.start("two");
    await around.clock.advance(0);
    command = undefined;
    await around.first.stop(AbortSignal.timeout(1000));
    await around.clock.advance(5000);
    const { leader, state } = await around.records.read(1);
    const decision = state?.newest.find(({ role }) => role === "collector");
    expect([leader?.term, decision?.to, decision?.code]).toEqual(["2", 4, "set_by_command"]);
  });

  test("one whose write is refused stops leading, and campaigns again", async () => {
    await around.add("gateway-1", { roles: ["gateway"] });
    await around.start();
    await around.clock.advance(0);
    const { records } = around;
    // the term ends without the coordinator's knowledge
    const real = records.write.bind(records);
    let isFrozen = true;
    records.write = (term, update) => {
      if (!isFrozen) return real(term, update);
      isFrozen = false;
      return term.resign().then(() => real(term, update));
    };
    await around.clock.advance(10_000);
    expect(await around.registry.metrics()).toContain("telemetry_scaling_refused_writes_total 1");
    expect((await records.read(1)).leader?.term).toBe("2");
  });
});
