import { expect, test } from "bun:test";
import fc from "fast-check";
import type { StateSpan } from "../../src/domain/inventory.ts";
import { FaultEvaluator } from "../../src/faults/evaluator/evaluator.ts";
import type { EvaluatorState } from "../../src/faults/evaluator/state.ts";
import type { FaultChange } from "../../src/faults/fault.ts";
import { catalogue, held, recordOf, rules, type Said, startMs } from "../fault-rules/scripted-fleet.ts";

/** What an evaluator receives. Times are seconds since the beginning. */
type Input =
  | { readonly kind: "record"; readonly gpu: number; readonly at: number; readonly said: Said }
  | { readonly kind: "time"; readonly at: number }
  | { readonly kind: "spans"; readonly spans: readonly StateSpan[] }
  | { readonly kind: "acknowledge"; readonly nth: number; readonly at: number }
  | { readonly kind: "boundary"; readonly host: number; readonly at: number };

function give(evaluator: FaultEvaluator, input: Input): FaultChange[] {
  switch (input.kind) {
    case "record":
      return evaluator.observe(recordOf(input.gpu, input.at, input.said));
    case "time":
      return evaluator.advance(startMs + input.at * 1000);
    case "spans":
      evaluator.setSpans(input.spans);
      return [];
    case "acknowledge": {
      const active = evaluator.active();
      return evaluator.acknowledge(
        active[input.nth % Math.max(1, active.length)]?.id ?? "",
        "ada",
        startMs + input.at * 1000,
      );
    }
    case "boundary": {
      const place = { clusterId: "c1", hostname: `host-${input.host}`, uuid: "" };
      return evaluator.endByBoundary(place, "reboot", startMs + input.at * 1000);
    }
  }
}

/** Values around the limits of the rules. A fault that lasts needs the same choice in many records, so choices are few. */
const said: fc.Arbitrary<Said> = fc
  .record({
    metrics: fc.record(
      {
        temperature: fc.constantFrom(60, 86, 99),
        gpu_utilization: fc.constantFrom(0, 80),
        row_remap_failure: fc.constantFrom(0, 1),
        xid_error: fc.constantFrom(0, 13, 31, 79, 999),
        ecc_dbe_volatile_total: fc.nat(3),
        ecc_sbe_volatile_total: fc.nat(1000),
        clock_event_reasons: fc.constantFrom(0, 0x20, 0x40),
        thermal_violation_ns: fc.constantFrom(0, 1e11, 1e12),
        total_energy_mj: fc.constantFrom(1, 1e12, 2e12),
        sm_active: fc.constantFrom(0.2, 0.7),
      },
      { requiredKeys: [] },
    ),
    custom: fc.dictionary(
      fc.constantFrom(
        'xid_errors_total{xid="31"}',
        'xid_errors_total{xid="119"}',
        'xid_errors{window_size_in_ms="300000",xid="13"}',
      ),
      fc.nat(3),
      { maxKeys: 2 },
    ),
    pod: fc.constantFrom("", "train-0", "train-1", "other"),
  })
  .map(({ metrics, custom, pod }) => ({ metrics, custom, occupants: pod === "" ? [] : held(pod) }));

const span: fc.Arbitrary<StateSpan> = fc
  .record({ host: fc.nat(1), uuid: fc.constantFrom("", "GPU-0", "GPU-5"), from: fc.nat(6000), length: fc.nat(3000) })
  .map(({ host, uuid, from, length }) => ({
    ...{ clusterId: "c1", hostname: `host-${host}`, uuid, state: "maintenance" },
    ...{ fromMs: startMs + from * 1000, toMs: length === 0 ? Infinity : startMs + (from + length) * 1000 },
  }));

/** Rounds of a fleet of 8 GPUs. In each, time passes, the GPUs of a mask report what they said before or something else, and
 *  something may happen. */
const round = fc.record({
  seconds: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(10, 30, 60) },
    { weight: 1, arbitrary: fc.constantFrom(200, 4000) },
  ),
  mask: fc.oneof({ weight: 3, arbitrary: fc.constant(255) }, { weight: 1, arbitrary: fc.nat(255) }),
  changed: fc.nat(7),
  said: fc.option(said, { nil: undefined, freq: 2 }),
  event: fc.oneof(
    { weight: 12, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom("acknowledge" as const, "boundary" as const) },
    { weight: 1, arbitrary: fc.array(span, { maxLength: 2 }) },
  ),
});

const inputs: fc.Arbitrary<readonly Input[]> = fc.array(round, { minLength: 10, maxLength: 60 }).map((rounds) => {
  const given: Input[] = [];
  const saying: Said[] = Array.from({ length: 8 }, () => ({}));
  let at = 0;
  for (const { seconds, mask, changed, said: next, event } of rounds) {
    given.push({ kind: "time", at });
    if (next !== undefined) saying[changed] = next;
    saying.forEach((each, gpu) => {
      if ((mask >> gpu) & 1) given.push({ kind: "record", gpu, at, said: each });
    });
    if (event === "acknowledge") given.push({ kind: event, nth: changed, at });
    else if (event === "boundary") given.push({ kind: event, host: changed & 1, at });
    else if (event !== undefined) given.push({ kind: "spans", spans: event });
    at += seconds;
  }
  return given;
});

const runs = { numRuns: 60 };

function run(
  given: readonly Input[],
  evaluator = new FaultEvaluator({ rules, catalogue }),
): { changes: FaultChange[]; state: EvaluatorState } {
  const changes = given.flatMap((input) => give(evaluator, input));
  return { changes, state: evaluator.save() };
}

test("saving and restoring between any two inputs changes nothing", () => {
  let firing = 0;
  fc.assert(
    fc.property(inputs, fc.infiniteStream(fc.nat(9)), (given, chances) => {
      let evaluator = new FaultEvaluator({ rules, catalogue });
      const changes = given.flatMap((input) => {
        if (chances.next().value === 0) {
          const state = JSON.parse(JSON.stringify(evaluator.save())) as EvaluatorState;
          evaluator = new FaultEvaluator({ rules, catalogue, state });
        }
        return give(evaluator, input);
      });
      const whole = run(given);
      firing += whole.changes.filter(({ state }) => state === "firing").length;
      expect(changes).toEqual(whole.changes);
      expect(evaluator.save()).toEqual(whole.state);
    }),
    runs,
  );
  // the inputs have faults at all
  expect(firing).toBeGreaterThan(runs.numRuns);
}, 30_000);

test("late and repeated records change nothing", () => {
  fc.assert(
    fc.property(inputs, fc.infiniteStream(fc.nat(99)), (given, chances) => {
      const repeated: Input[] = [];
      for (const input of given) {
        repeated.push(input);
        if (input.kind !== "record") continue;
        repeated.push(input);
        const earlier = repeated[(chances.next().value ?? 0) % repeated.length];
        if (earlier?.kind === "record" && earlier.at < input.at) {
          const isLate = repeated.some(
            (each) => each.kind === "record" && each.gpu === earlier.gpu && each.at > earlier.at,
          );
          if (isLate) repeated.push({ ...earlier, said: { metrics: { row_remap_failure: 1, xid_error: 48 } } });
        }
      }
      expect(run(repeated)).toEqual(run(given));
    }),
    runs,
  );
});

test("each change of a fault follows from its state before, and no occurrence ends twice", () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    nothing: ["pending", "firing"],
    pending: ["firing", "resolved"],
    firing: ["acknowledged", "resolved", "suppressed"],
    acknowledged: ["resolved", "suppressed"],
    suppressed: ["firing", "acknowledged", "resolved"],
    resolved: [],
  };
  fc.assert(
    fc.property(inputs, (given) => {
      const states = new Map<string, string>();
      for (const { id, state } of run(given).changes) {
        expect([id, allowed[states.get(id) ?? "nothing"]]).toEqual([id, expect.arrayContaining([state])]);
        states.set(id, state);
      }
    }),
    runs,
  );
});

test("what is remembered of a device is bounded, whatever its records say", () => {
  const evaluator = new FaultEvaluator({ rules, catalogue });
  let longest = 0;
  for (let at = 0; at < 40_000; at += 20) {
    evaluator.advance(startMs + at * 1000);
    const custom = Object.fromEntries(
      [0, 1, 2].map((each) => [`xid_errors_total{xid="${((at + each) % 997) + 1}"}`, at]),
    );
    const metrics = {
      xid_error: at % 3000,
      ecc_sbe_volatile_total: at * 100,
      clock_event_reasons: at % 512,
      temperature: at % 120,
    };
    evaluator.observe(recordOf(0, at, { metrics, custom, occupants: held(`train${at}-0`) }));
    if (at % 1000 === 0) longest = Math.max(longest, JSON.stringify(evaluator.save().devices[0]).length);
  }
  expect(longest).toBeLessThan(24_000);
});
