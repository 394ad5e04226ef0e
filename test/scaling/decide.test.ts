import { describe, expect, test } from "bun:test";
import { decide, type Decision } from "../../src/scaling/coordinator/decide.ts";
import type { RoleMemory } from "../../src/scaling/coordinator/memory.ts";
import { type Figures, inputOf, nowMs, signalsAt } from "./scaling-input.ts";

/** The memory of four collectors that have been alive for ten minutes. */
const memory: RoleMemory = { desired: 4, current: 4, startedAtMs: nowMs - 600_000, ratePerSecond: 10 };
const long = nowMs - 3_600_000;

function summary({ desired, direction, reason }: Decision): [number | undefined, string, string] {
  return [desired, direction, reason.code];
}

describe("collectors", () => {
  test("rise at once to what the arrivals need", () => {
    expect(summary(decide(inputOf({ arrival: 61, drain: 40, waiting: 20 })))).toEqual([7, "up", "load"]);
  });

  test("rise at most to twice as many and two more", () => {
    const decision = decide(
      inputOf({ arrival: 900, drain: 10, waiting: 200 }, { current: 1, memory: { ...memory, desired: 1 } }),
    );
    expect(summary(decision)).toEqual([4, "up", "load"]);
    expect(decision.reason.text).toContain("needed: 91");
  });

  test("are not changed by a load within the tolerance", () => {
    expect(summary(decide(inputOf({ arrival: 43.5, drain: 40 })))).toEqual([4, "hold", "steady"]);
    expect(summary(decide(inputOf({ arrival: 27.5, drain: 27.5 })))).toEqual([4, "hold", "steady"]);
  });

  test("rise although the need is within the tolerance, if the oldest message is too old", () => {
    expect(summary(decide(inputOf({ arrival: 41, drain: 40, waiting: 20, age: 6 })))).toEqual([5, "up", "load"]);
  });

  test("count what streamers hold back while the queue is over its low mark", () => {
    const slowed = inputOf({ arrival: 40, drain: 40, waiting: 350 }, { memory: { ...memory, depthMessages: 350 } });
    // at 350 messages, half of what the sources have arrives
    expect(decide(slowed).reason.text).toContain("the sources have 80");
    expect(decide(slowed).desired).toBe(10);
  });

  test("rise with a queue that grows, before streamers have reported what they publish", () => {
    const grown: Figures = { arrival: 8, drain: 40, waiting: 240 };
    expect(summary(decide(inputOf(grown)))).toEqual([4, "hold", "stabilising"]);
    const before = { ...memory, decidedAtMs: nowMs - 5000, depthMessages: 0 };
    expect(summary(decide(inputOf(grown, { memory: before })))).toEqual([6, "up", "load"]);
  });

  test("do not rise again within the cool-down, or while instances start", () => {
    const changed = { ...memory, changedAtMs: nowMs - 9000 };
    const busy: Figures = { arrival: 90, drain: 40, waiting: 100 };
    expect(summary(decide(inputOf(busy, { memory: changed })))).toEqual([4, "hold", "cooling_down"]);
    const starting = inputOf(busy, { current: 2, memory: { ...memory, changedAtMs: nowMs - 20_000 } });
    expect(summary(decide(starting))).toEqual([4, "hold", "starting"]);
    const neverStarted = inputOf(busy, { current: 2, memory: { ...memory, changedAtMs: nowMs - 31_000 } });
    expect(decide(neverStarted).direction).toBe("up");
  });

  test("do not fall below what a command has set, until its time is up; they rise, and fall back to it", () => {
    const quiet: Figures = { arrival: 5, drain: 5 };
    const decidedAfter = (seconds: number, count: number, figures = quiet) => {
      const command = { count, atMs: nowMs - seconds * 1000 };
      return decide(inputOf(figures, { memory: { ...memory, belowSinceMs: long, changedAtMs: long }, command }));
    };
    expect(summary(decidedAfter(599, 4))).toEqual([4, "hold", "set_by_command"]);
    expect(decidedAfter(120, 4).reason.text).toEndWith("; 120 s ago, a command set 4 (kept for 600 s)");
    expect(summary(decidedAfter(599, 6))).toEqual([4, "hold", "set_by_command"]);
    expect(summary(decidedAfter(599, 3))).toEqual([3, "down", "load_fell"]);
    expect(summary(decidedAfter(600, 4))).toEqual([3, "down", "load_fell"]);
    expect(summary(decidedAfter(30, 4, { arrival: 61, drain: 40 }))).toEqual([7, "up", "load"]);
  });

  test("fall by one when the load has needed fewer for long enough", () => {
    let known: RoleMemory = memory;
    const codes: string[] = [];
    for (let second = 0; second <= 65; second += 5) {
      const decision = decide(inputOf({ arrival: 5, drain: 5 }, { nowMs: nowMs + second * 1000, memory: known }));
      codes.push(`${second} ${decision.reason.code} ${decision.desired}`);
      known = decision.memory;
    }
    expect(codes[0]).toBe("0 stabilising 4");
    expect(codes[11]).toBe("55 stabilising 4");
    expect(codes[12]).toBe("60 load_fell 3");
    expect(codes[13]).toBe("65 cooling_down 3");
  });

  test("wait again after a moment in which all were needed", () => {
    const falling = inputOf({ arrival: 5, drain: 5 }, { memory: { ...memory, belowSinceMs: long } });
    expect(decide(falling).direction).toBe("down");
    const needed = decide(inputOf({ arrival: 39, drain: 39 }, { memory: { ...memory, belowSinceMs: long } }));
    expect(needed.memory.belowSinceMs).toBeUndefined();
  });

  test("do not fall while the oldest message is too old", () => {
    const late = inputOf({ arrival: 5, drain: 40, age: 6 }, { memory: { ...memory, belowSinceMs: long } });
    expect(summary(decide(late))).toEqual([4, "hold", "age_over_target"]);
  });

  test("do not rise because a dead collector's messages wait for the end of its lease", () => {
    expect(summary(decide(inputOf({ arrival: 20, drain: 20, inFlight: 8, age: 29 })))).toEqual([
      4,
      "hold",
      "age_over_target",
    ]);
  });
});

describe("collectors whose rate is not known", () => {
  const unknown = { ...memory, ratePerSecond: undefined };

  test("rise by half when messages are too old", () => {
    const decision = decide(inputOf({ arrival: 60, drain: 40, waiting: 100, age: 6 }, { memory: unknown }));
    expect(summary(decision)).toEqual([6, "up", "rate_unknown"]);
  });

  test("learn it from two decisions in a row at which every collector had a message waiting", () => {
    const busy: Figures = { arrival: 60, drain: 44, waiting: 40, age: 1 };
    const first = decide(inputOf(busy, { memory: unknown }));
    expect(first.memory.ratePerSecond).toBeUndefined();
    const second = decide(inputOf(busy, { nowMs: nowMs + 5000, memory: first.memory }));
    expect(second.memory.ratePerSecond).toBe(11);
  });

  test("do not learn it from collectors that have only just started", () => {
    const justStarted = { ...unknown, saturated: true, startedAtMs: nowMs - 9000 };
    const decision = decide(inputOf({ arrival: 60, drain: 20, waiting: 40 }, { memory: justStarted }));
    expect(decision.memory.ratePerSecond).toBeUndefined();
  });

  test("fall one by one while no message waits", () => {
    const idle = inputOf({ arrival: 5, drain: 5 }, { memory: { ...unknown, belowSinceMs: long } });
    expect(summary(decide(idle))).toEqual([3, "down", "load_fell"]);
  });
});

describe("a database that stores nothing", () => {
  const stuck: Figures = { arrival: 30, drain: 0, waiting: 200, age: 20 };

  /** Decides every five seconds; every decided collector is alive at the next decision. */
  function decideFor(seconds: number, figures: Figures, start: RoleMemory): Decision[] {
    const decisions: Decision[] = [];
    let known = start;
    for (let second = 0; second < seconds; second += 5) {
      const atMs = nowMs + second * 1000;
      const current = known.desired;
      const decision = decide(inputOf(figures, { nowMs: atMs, current, memory: known }));
      decisions.push(decision);
      known = decision.memory;
    }
    return decisions;
  }

  test("gets half as many collectors more once, and none when these had no gain", () => {
    const decisions = decideFor(290, { ...stuck, waiting: 2000 }, memory);
    expect(decisions.filter(({ direction }) => direction === "up").map(({ desired }) => desired)).toEqual([6]);
    expect(decisions.at(-1)?.reason.code).toBe("no_gain");
  });

  test("is tried again after five minutes", () => {
    const decisions = decideFor(400, { ...stuck, waiting: 2000 }, memory);
    expect(decisions.filter(({ direction }) => direction === "up").map(({ desired }) => desired)).toEqual([6, 9]);
  });

  test("is not confused with slow collectors: their rate stays known", () => {
    for (const drain of [0, 3]) {
      expect(decideFor(200, { ...stuck, drain, waiting: 2000 }, memory).at(-1)?.memory.ratePerSecond).toBe(10);
    }
  });

  test("gets no collector more while all of them report an error", () => {
    const decision = decide(inputOf({ ...stuck, waiting: 2000, failing: 4 }));
    expect(summary(decision)).toEqual([4, "hold", "no_gain"]);
  });

  test("gets more collectors again as soon as it stores again", () => {
    const held = { ...memory, saturated: true, noGain: { sinceMs: nowMs - 60_000, drainPerSecond: 0 } };
    const recovered = decide(inputOf({ arrival: 80, drain: 40, waiting: 300, age: 60 }, { memory: held }));
    expect(recovered.memory.noGain).toBeUndefined();
    const next = inputOf({ arrival: 80, drain: 40, waiting: 300 }, { nowMs: nowMs + 5000, memory: recovered.memory });
    expect(decide(next).direction).toBe("up");
  });
});

describe("figures that are not known", () => {
  test("keep the count, and name the figures", () => {
    const queue = { ...signalsAt({ waiting: 500, age: 50 }).queue, arrivalPerSecond: undefined };
    const missing = decide(inputOf({}, { signals: { ...signalsAt({}), queue } }));
    expect(summary(missing)).toEqual([4, "hold", "signals_missing"]);
    expect(missing.reason.text).toBe("not known: arrival_per_second");
    const stale = decide(inputOf({}, { signals: signalsAt({ arrival: 500, age: 50 }, nowMs - 16_000) }));
    expect(summary(stale)).toEqual([4, "hold", "signals_stale"]);
    const ahead = decide(inputOf({}, { signals: signalsAt({ arrival: 500, age: 50 }, nowMs + 16_000) }));
    expect(summary(ahead)).toEqual([4, "hold", "signals_stale"]);
  });

  test("keep the count if the number of instances is unknown; without an earlier decision there is none", () => {
    const lost = decide(inputOf({ arrival: 500 }, { current: undefined }));
    expect(summary(lost)).toEqual([4, "hold", "instances_unknown"]);
    expect(decide(inputOf({}, { current: undefined, memory: {} })).desired).toBeUndefined();
  });

  test("end the time in which fewer were enough", () => {
    const signals = signalsAt({}, nowMs - 16_000);
    expect(
      decide(inputOf({}, { signals, memory: { ...memory, belowSinceMs: long } })).memory.belowSinceMs,
    ).toBeUndefined();
  });
});

describe("the limits of the count", () => {
  test("hold without any figure", () => {
    const signals = { queue: {}, collectors: {}, streamers: {}, gateways: {} };
    expect(summary(decide(inputOf({}, { role: "gateway", current: 1, memory: {}, signals })))).toEqual([
      2,
      "up",
      "below_minimum",
    ]);
    expect(summary(decide(inputOf({}, { role: "gateway", current: 7, memory: {}, signals })))).toEqual([
      5,
      "down",
      "above_maximum",
    ]);
  });

  test("instances that were added by other means are kept at first; instances that died are still desired", () => {
    expect(decide(inputOf({ arrival: 40, drain: 40 }, { current: 6 })).desired).toBe(6);
    expect(decide(inputOf({ arrival: 40, drain: 40 }, { current: 3 })).desired).toBe(4);
  });
});

describe("streamers", () => {
  const streamers = (figures: Figures): [number | undefined, string, string] =>
    summary(decide(inputOf(figures, { role: "streamer", memory: { desired: 4, current: 4 } })));

  test("rise with targets, ranges and processor time", () => {
    expect(streamers({ streamerCpu: 30, targets: 6001 })).toEqual([7, "up", "load"]);
    expect(streamers({ streamerCpu: 30, ranges: 26 })).toEqual([6, "up", "load"]);
    expect(streamers({ streamerCpu: 95 })).toEqual([6, "up", "load"]);
  });

  test("say how many there are, as a person would: 1 target, 2 ranges", () => {
    const textOf = (figures: Figures): string =>
      decide(inputOf({ streamerCpu: 30, ...figures }, { role: "streamer", memory: { desired: 4, current: 4 } })).reason
        .text;
    expect([textOf({ targets: 1 }), textOf({ ranges: 2 })]).toEqual([
      expect.stringMatching(/^1 target, a/) as string,
      expect.stringMatching(/^2 ranges, a/) as string,
    ]);
  });

  test("are not more than the live sources that they read", () => {
    expect(streamers({ streamerCpu: 95, targets: 4 })).toEqual([4, "hold", "steady"]);
  });

  test("are kept while the queue slows them down", () => {
    expect(streamers({ streamerCpu: 95, waiting: 460 })).toEqual([4, "hold", "queue_full"]);
  });
});

describe("gateways", () => {
  const gateways = (figures: Figures): [number | undefined, string, string] =>
    summary(decide(inputOf(figures, { role: "gateway", current: 3, memory: { desired: 3, current: 3 } })));

  test("rise with clients, processor time, and latency while they are busy", () => {
    expect(gateways({ clients: 3900, gatewayCpu: 10 })).toEqual([4, "up", "load"]);
    expect(gateways({ gatewayCpu: 95 })).toEqual([5, "up", "load"]);
    expect(gateways({ gatewayCpu: 50, latency: 400 })).toEqual([4, "up", "load"]);
  });

  test("are kept if they are slow without being busy: the store is slow", () => {
    expect(gateways({ clients: 2900, gatewayCpu: 20, latency: 4000 })).toEqual([3, "hold", "steady"]);
  });
});
