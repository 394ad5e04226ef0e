import { expect, test } from "bun:test";
import fc from "fast-check";
import { foldedSeries } from "../../src/domain/fold.ts";
import { metrics } from "../../src/domain/metrics.ts";
import { parseSeries, seriesName } from "../../src/domain/series.ts";

test("a series is named as Prometheus names it, with sorted labels and its escapes", () => {
  expect(seriesName("xid_errors", { xid: "31", window_size_in_ms: "300000" })).toBe(
    'xid_errors{window_size_in_ms="300000",xid="31"}',
  );
  expect(seriesName("m", { a: 'x"\\\n' })).toBe('m{a="x\\"\\\\\\n"}');
  expect(seriesName("m", {})).toBe("m");
});

test("the name of a series gives back its metric and labels, with any texts", () => {
  const labels = fc.dictionary(fc.stringMatching(/^[a-z_][a-z0-9_]{0,6}$/), fc.string({ maxLength: 12 }), {
    minKeys: 1,
    maxKeys: 4,
  });
  const names = fc.oneof(fc.stringMatching(/^[A-Za-z_:][A-Za-z0-9_:. -]{0,12}$/), fc.string({ minLength: 1 }));
  fc.assert(
    fc.property(names, labels, (metric, of) => {
      const parsed = parseSeries(seriesName(metric, of));
      expect(parsed?.metric).toBe(metric);
      expect(Object.entries(parsed?.labels ?? {}).sort()).toEqual(Object.entries(of).sort());
    }),
  );
});

test.each([
  "m",
  "m{}",
  "m{a}",
  'm{a="x"',
  'm{a="x",}',
  '{a="x"}',
  'm{a="x",a="y"}',
  'm{a="x}',
  'm{1="x"}',
  'm{a="\\x"}',
])("%p is the name of a metric, not of a series", (name) => {
  expect(parseSeries(name)).toBeUndefined();
});

test("a fold counts series that differ only by the window once, with the greatest of their values", () => {
  const folded = foldedSeries({
    'xid_errors{window_size_in_ms="300000",xid="31"}': 4,
    'xid_errors{window_size_in_ms="600000",xid="31"}': 5,
    'xid_errors{vgpu="a",window_size_in_ms="600000",xid="31"}': 6,
    'xid_errors{window_size_in_ms="300000",xid="45"}': 1,
    'clock_events{clock_event="hw",window_size_in_ms="300000"}': 7,
    'clock_events{clock_event="hw",window_size_in_ms="600000"}': 7,
  });
  expect(Object.fromEntries(folded)).toEqual({ xid_errors: 7, clock_events: 7 });
});

test("a fold sums counts, takes the greatest of states, and counts series that differ only by vgpu once", () => {
  const folded = foldedSeries({
    'xid_errors{xid="31"}': 4,
    'xid_errors{vgpu="a",xid="45"}': 2,
    'xid_errors{vgpu="b",xid="45"}': 3,
    'gpu_health_status{health_watch="MEM"}': 10,
    'gpu_health_status{health_watch="NVLINK"}': 20,
    'DCGM_FI_DEV_XID_ERRORS{gpu="0"}': 79,
    'unknown{nvlink="0"}': 5,
    plain: 6,
  });
  expect([...folded].sort()).toEqual([
    ["gpu_health_status", 20],
    ["xid_error", 79],
    ["xid_errors", 7],
  ]);
});

test("folds never fall when series are added, so merging records in any order gives the same plain values", () => {
  const names = ["31", "45", "79"].flatMap((xid) =>
    ["", 'vgpu="a",', 'vgpu="b",', 'window_size_in_ms="1",', 'vgpu="a",window_size_in_ms="2",'].flatMap((vgpu) => [
      `xid_errors{${vgpu}xid="${xid}"}`,
      `p2p_status{${vgpu}peer_gpu="${xid}"}`,
    ]),
  );
  const values = fc.dictionary(fc.constantFrom(...names), fc.double({ min: 0, max: 1e6, noNaN: true }));
  fc.assert(
    fc.property(values, values, (some, more) => {
      const all = { ...some, ...more };
      for (const [name, value] of Object.entries(some)) all[name] = Math.max(value, all[name] ?? 0);
      const [before, after] = [foldedSeries(some), foldedSeries(all)];
      for (const [name, value] of before) expect(after.get(name)).toBeGreaterThanOrEqual(value);
    }),
  );
});

test("metrics with a sum are never negative; MIG instances have only metrics of memory, utilization and profiling", () => {
  for (const { name, fold, min } of metrics) if (fold === "sum") expect([name, min >= 0]).toEqual([name, true]);
  expect(metrics.filter(({ scope }) => scope === "instance").map(({ name }) => name)).toEqual([
    ...["gpu_utilization", "memory_utilization", "memory_used_mb", "memory_free_mb"],
    ...["enc_utilization", "dec_utilization", "memory_reserved_mb"],
    ...["gr_engine_active", "sm_active", "sm_occupancy", "tensor_active", "dram_active"],
    ...["fp64_active", "fp32_active", "fp16_active", "memory_capacity_mb"],
  ]);
  const greatest = metrics.filter(({ fold, kind }) => fold === "max" && kind === "counter");
  expect(greatest.map(({ name }) => name)).toEqual(["gpu_health_status", "p2p_status"]);
});
