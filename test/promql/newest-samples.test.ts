import { expect, test } from "bun:test";
import { instantsOf, newestOf } from "../../src/promql/evaluation/select.ts";
import type { SelectorExpression } from "../../src/promql/language/expression.ts";
import { noLabels } from "../../src/promql/labels.ts";
import { GrowingSeries } from "../../src/routes/answers/promql/growing-series.ts";
import { Seeded } from "./seeded.ts";

const gpu = { uuid: "GPU-1", hostname: "host", gpuId: 0, device: "nvidia0", modelName: "H100", clusterId: "c" };
const begins = { gpu: { ...gpu, driverVersion: "", properties: {} }, timeMs: 0 };

test("a series that keeps only the newest sample for each step has the same value at each step as one with all samples", () => {
  const random = new Seeded(1);
  let [held, all] = [0, 0];
  for (let round = 0; round < 2000; round += 1) {
    const stepMs = random.pick([1, 7.3, 15_000, 60_000, 1000 / 3]);
    const count = 1 + random.below(20);
    const startMs = 1_752_796_800_000 + random.below(1000);
    const steps = {
      startMs,
      endMs: startMs + count * stepMs,
      stepMs,
      count,
      lookbackMs: random.pick([stepMs, 300_000]),
    };
    const at = random.pick([undefined, undefined, "start", "end", { atMs: startMs + random.below(5000) }] as const);
    const offsetMs = random.pick([0, 0, 1000, -500]);
    const selector: SelectorExpression = { kind: "selector", matchers: [], at, offsetMs };
    const whole = new GrowingSeries(noLabels, begins, undefined);
    const newest = new GrowingSeries(noLabels, begins, instantsOf(selector, steps));
    // of two devices, one after the other, each by time
    for (let device = 0; device < 2; device += 1) {
      let timeMs = startMs - offsetMs - 2 * stepMs;
      for (let sample = 0; sample < 40; sample += 1) {
        timeMs += random.pick([0, stepMs, (stepMs * random.below(100)) / 100]);
        const isEnd = random.isOneIn(6);
        for (const series of [whole, newest]) {
          const added = isEnd ? series.end(timeMs) : series.add(timeMs, round * 100 + device * 40 + sample);
          if (series === newest) held += added;
          else all += added;
        }
      }
    }
    const valuesOf = (series: GrowingSeries, isTime: boolean) => {
      const { values, isPresent } = newestOf(series.selected(), selector, { steps, isTime });
      return { values: [...values], isPresent: [...isPresent] };
    };
    for (const isTime of [false, true]) expect(valuesOf(newest, isTime)).toEqual(valuesOf(whole, isTime));
  }
  expect(held).toBeLessThan(all / 2);
});
