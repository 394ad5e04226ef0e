import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  gpuQueryOf,
  type GpuState,
  gpuStateOf,
  isMoving,
  rangeNames,
  windowOf,
} from "../../src/dashboard/model/time-choice.ts";
import { startMs } from "./fleet.ts";

const window = fc
  .tuple(fc.integer({ min: 0, max: startMs }), fc.integer({ min: 1, max: 1e10 }))
  .map(([fromMs, lengthMs]) => ({ fromMs, toMs: fromMs + lengthMs }));
const state: fc.Arbitrary<GpuState> = fc.record({
  uuid: fc.string({ minLength: 1 }),
  time: fc.oneof(fc.constantFrom(...rangeNames), window),
  metrics: fc.uniqueArray(fc.stringMatching(/^[a-z0-9_]+$/), { minLength: 1, maxLength: 5 }),
});

test("the URL of a GPU's page gives back what was chosen", () => {
  fc.assert(fc.property(state, (given) => expect(gpuStateOf(gpuQueryOf(given))).toEqual(given)));
});

test("a value in the URL that means nothing counts as absent", () => {
  const fallback = gpuStateOf("?uuid=GPU-1");
  expect([fallback.time, fallback.metrics.length]).toEqual(["1h", 4]);
  for (const query of ["&range=2y", "&from=yesterday&to=now", "&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"]) {
    expect(gpuStateOf(`?uuid=GPU-1${query}&metrics=<b>`)).toEqual(fallback);
  }
});

test("a range ends now, and a window stays", () => {
  expect(windowOf("15m", startMs)).toEqual({ fromMs: startMs - 900_000, toMs: startMs });
  const fixed = { fromMs: 1, toMs: 2 };
  expect([windowOf(fixed, startMs), isMoving(fixed), isMoving("1d")]).toEqual([fixed, false, true]);
});
