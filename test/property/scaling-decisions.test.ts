import { expect, test } from "bun:test";
import fc from "fast-check";
import { decide, type DecisionInput } from "../../src/scaling/coordinator/decide.ts";
import type { RoleMemory } from "../../src/scaling/coordinator/memory.ts";
import { defaultPolicy, scaledRoles } from "../../src/scaling/coordinator/policy.ts";
import type { ScalingSignals, Signal } from "../../src/scaling/coordinator/signals.ts";
import { type Figures, inputOf, nowMs } from "../scaling/scaling-input.ts";

const amount = (max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constant(0), fc.integer({ min: 0, max: Math.ceil(max) }), fc.double({ min: 0, max, noNaN: true }));
const pastMs = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 0, max: 400 }).map((seconds) => nowMs - seconds * 1000),
);
const role = fc.constantFrom(...scaledRoles);
const figures: fc.Arbitrary<Figures> = fc.record({
  waiting: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 600 })),
  inFlight: fc.integer({ min: 0, max: 80 }),
  age: amount(40),
  arrival: amount(200),
  drain: amount(200),
  targets: amount(2000),
  ranges: amount(40),
  streamerCpu: amount(150),
  clients: amount(9000),
  latency: amount(1000),
  gatewayCpu: amount(150),
});
const memory: fc.Arbitrary<RoleMemory> = fc.record({
  desired: fc.option(fc.integer({ min: 0, max: 14 }), { nil: undefined }),
  current: fc.option(fc.integer({ min: 0, max: 14 }), { nil: undefined }),
  decidedAtMs: pastMs,
  changedAtMs: pastMs,
  startedAtMs: pastMs,
  belowSinceMs: pastMs,
  ratePerSecond: fc.option(fc.double({ min: 0.01, max: 100, noNaN: true }), { nil: undefined }),
  saturated: fc.boolean(),
  depthMessages: fc.option(fc.integer({ min: 0, max: 600 }), { nil: undefined }),
  trial: fc.option(fc.record({ from: fc.integer({ min: 1, max: 9 }), drainPerSecond: amount(200) }), {
    nil: undefined,
  }),
  noGain: fc.option(fc.record({ sinceMs: fc.constant(nowMs - 100_000), drainPerSecond: amount(200) }), {
    nil: undefined,
  }),
});
const input: fc.Arbitrary<DecisionInput> = fc
  .record({ role, figures, memory, current: fc.integer({ min: 0, max: 14 }) })
  .map(({ figures: values, ...rest }) => inputOf(values, rest));

/** The same decision with a load that is greater by `more`. */
function withMore(from: DecisionInput, more: Figures): DecisionInput {
  const { queue, streamers, gateways, collectors } = from.signals;
  const plus = (signal: Signal | undefined, value = 0): Signal => ({
    value: (signal?.value ?? 0) + value,
    atMs: nowMs,
  });
  // the depth of the queue is no load of the streamers
  const isCollector = from.role === "collector";
  const signals: ScalingSignals = {
    collectors,
    queue: {
      ...queue,
      waitingMessages: plus(queue.waitingMessages, isCollector ? more.waiting : 0),
      inFlightMessages: plus(queue.inFlightMessages, isCollector ? more.inFlight : 0),
      oldestAgeSeconds: plus(queue.oldestAgeSeconds, more.age),
      arrivalPerSecond: plus(queue.arrivalPerSecond, more.arrival),
    },
    streamers: {
      targets: plus(streamers.targets, more.targets),
      ranges: plus(streamers.ranges, more.ranges),
      cpuPercent: plus(streamers.cpuPercent, more.streamerCpu),
    },
    gateways: {
      clients: plus(gateways.clients, more.clients),
      latencyMsP95: plus(gateways.latencyMsP95, more.latency),
      cpuPercent: plus(gateways.cpuPercent, more.gatewayCpu),
    },
  };
  return { ...from, signals };
}

const runs = { numRuns: 3000 };

test("a decided count is within its limits", () => {
  fc.assert(
    fc.property(input, (given) => {
      const { min, max } = defaultPolicy[given.role];
      const { desired = NaN, memory: next } = decide(given);
      expect(desired).toBeGreaterThanOrEqual(min);
      expect(desired).toBeLessThanOrEqual(max);
      expect(Number.isInteger(desired)).toBe(true);
      expect(next.desired).toBe(desired);
    }),
    runs,
  );
});

test("more load never leads to fewer instances", () => {
  fc.assert(
    fc.property(input, figures, (given, more) => {
      expect(decide(withMore(given, more)).desired).toBeGreaterThanOrEqual(decide(given).desired ?? NaN);
    }),
    { numRuns: 10_000 },
  );
});

test("the same signals again and again lead to a count that stays, after at most one change of direction", () => {
  fc.assert(
    fc.property(input, (given) => {
      const directions: string[] = [];
      let known = given.memory;
      let current = given.current;
      for (let second = 0; second < 2400; second += 5) {
        const atMs = nowMs + second * 1000;
        const signals = signalsNow(given.signals, atMs);
        const decision = decide({ ...given, nowMs: atMs, signals, memory: known, current });
        if (decision.direction !== "hold" && directions.at(-1) !== decision.direction)
          directions.push(decision.direction);
        known = decision.memory;
        current = decision.desired;
      }
      expect(directions.length).toBeLessThanOrEqual(2);
      const last = decide({
        ...given,
        nowMs: nowMs + 2_400_000,
        signals: signalsNow(given.signals, nowMs + 2_400_000),
        memory: known,
        current,
      });
      expect(last.direction).toBe("hold");
    }),
    { numRuns: 100 },
  );
});

test("without one of its figures, or with an old one, a count is kept", () => {
  const needed: Readonly<Record<string, readonly (readonly [keyof ScalingSignals, string])[]>> = {
    collector: ["waitingMessages", "inFlightMessages", "oldestAgeSeconds", "arrivalPerSecond", "drainPerSecond"].map(
      (name) => ["queue", name] as const,
    ),
    streamer: [
      ["queue", "waitingMessages"],
      ["queue", "inFlightMessages"],
      ["streamers", "cpuPercent"],
    ],
    gateway: [
      ["gateways", "clients"],
      ["gateways", "cpuPercent"],
    ],
  };
  fc.assert(
    fc.property(input, fc.nat(), fc.boolean(), (given, index, isStale) => {
      const { min, max } = defaultPolicy[given.role];
      const names = needed[given.role] ?? [];
      const [group, name] = names[index % names.length] as readonly [keyof ScalingSignals, string];
      const old = { value: 1, atMs: nowMs - 16_000 };
      const part = { ...given.signals[group], [name]: isStale ? old : undefined };
      const { direction, desired, reason } = decide({ ...given, signals: { ...given.signals, [group]: part } });
      const isOutside = reason.code === "below_minimum" || reason.code === "above_maximum";
      expect(isOutside ? [min, max].includes(desired ?? NaN) : direction === "hold").toBe(true);
      if (!isOutside) expect(reason.code).toBe(isStale ? "signals_stale" : "signals_missing");
    }),
    runs,
  );
});

test("the number of collectors never falls while the oldest message is too old, except to the maximum", () => {
  fc.assert(
    fc.property(input, fc.double({ min: 5.01, max: 500, noNaN: true }), (given, age) => {
      const { queue } = given.signals;
      const late = { ...given.signals, queue: { ...queue, oldestAgeSeconds: { value: age, atMs: nowMs } } };
      const { direction, reason } = decide({ ...given, role: "collector", signals: late });
      expect(direction === "down" && reason.code !== "above_maximum").toBe(false);
    }),
    runs,
  );
});

test("a full queue never leads to more streamers", () => {
  fc.assert(
    fc.property(input, fc.integer({ min: 450, max: 5000 }), (given, waiting) => {
      const { queue } = given.signals;
      const full = { ...given.signals, queue: { ...queue, waitingMessages: { value: waiting, atMs: nowMs } } };
      const { direction, reason } = decide({ ...given, role: "streamer", signals: full });
      expect(direction === "up" && reason.code !== "below_minimum").toBe(false);
    }),
    runs,
  );
});

test("a leader that reads the memory as JSON decides like the one that wrote it", () => {
  fc.assert(
    fc.property(input, (given) => {
      const read = JSON.parse(JSON.stringify(given.memory)) as RoleMemory;
      expect(decide({ ...given, memory: read })).toEqual(decide(given));
    }),
    runs,
  );
});

function signalsNow(signals: ScalingSignals, atMs: number): ScalingSignals {
  const now = (part: object): object =>
    Object.fromEntries(
      Object.entries(part).map(([name, signal]: [string, Signal | undefined]) => [
        name,
        signal === undefined ? undefined : { ...signal, atMs },
      ]),
    );
  return {
    queue: now(signals.queue),
    collectors: now(signals.collectors),
    streamers: now(signals.streamers),
    gateways: now(signals.gateways),
  };
}
