import { type Labels, labelsOf } from "../../src/promql/labels.ts";
import { selectsLabels } from "../../src/promql/matcher.ts";
import type { SelectedSeries, Selection, SeriesSource } from "../../src/promql/series-source.ts";
import { Seeded } from "./seeded.ts";

/** The first instant of the series: 2025-07-18T20:00:00Z. */
export const seriesStartMs = Date.UTC(2025, 6, 18, 20);
/** They last for an hour and a half: a Prometheus keeps as much in its head. */
export const seriesMs = 5_400_000;
const intervalMs = 15_000;

/** How the values of a metric come about. */
type Shape = (random: Seeded, before: number, index: number) => number;

const gauge: Shape = (random) => Math.round(random.next() * 10_000) / 100;
const counter: Shape = (random, before) => (random.isOneIn(60) ? 0 : before + random.below(5000));
const level: Shape = (random, before) => (random.isOneIn(8) ? random.below(5) : before);
const odd: Shape = (random) => random.pick([NaN, Infinity, -Infinity, 0, -0, 1e-9, 1e21, -3.5, 2 ** 60, 7, 7]);

/** The metrics of the series, by name. */
export const shapes: Readonly<Record<string, Shape>> = {
  DCGM_FI_DEV_GPU_UTIL: gauge,
  DCGM_FI_DEV_FB_USED: gauge,
  DCGM_FI_DEV_FB_FREE: gauge,
  DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION: counter,
  DCGM_FI_DEV_XID_ERRORS: level,
  odd_values: odd,
};

/** Series of two hosts with four GPUs each: with gaps, jitter, resets, ends, and labels that change.
 *  @param seed the same seed gives the same series */
export function seriesSet(seed: number): readonly SelectedSeries[] {
  const random = new Seeded(seed);
  return Object.entries(shapes).flatMap(([name, shape]) =>
    ["host-a:9400", "host-b:9400"].flatMap((instance) =>
      [0, 1, 2, 3].flatMap((gpu) => seriesOf({ __name__: name, instance, gpu: String(gpu) }, shape, random)),
    ),
  );
}

function seriesOf(device: Readonly<Record<string, string>>, shape: Shape, random: Seeded): SelectedSeries[] {
  const labels = { ...device, UUID: `GPU-${device["instance"]?.[5]}${device["gpu"]}`, job: "dcgm" };
  const byPod = new Map<string, { timeMs: number; value: number; isEnd: boolean }[]>();
  let pod = random.pick(["", "", "train-0"]);
  let value = 100;
  const phaseMs = random.below(intervalMs);
  for (let index = 0; index < seriesMs / intervalMs; index += 1) {
    const isExact = random.isOneIn(3);
    const timeMs = seriesStartMs + index * intervalMs + (isExact ? 0 : phaseMs % 4000);
    if (random.isOneIn(50)) index += random.below(30);
    if (random.isOneIn(80)) {
      byPod.get(pod)?.push({ timeMs, value: 0, isEnd: true });
      pod = random.pick(["", "train-0", "train-1"]);
      continue;
    }
    value = shape(random, value, index);
    const samples = byPod.get(pod) ?? [];
    byPod.set(pod, samples);
    samples.push({ timeMs, value, isEnd: false });
  }
  return [...byPod].map(([name, samples]) => ({
    labels: labelsOf(Object.entries({ ...labels, pod: name })),
    timesMs: Float64Array.from(samples, ({ timeMs }) => timeMs),
    values: Float64Array.from(samples, (sample) => sample.value),
    ends: Uint8Array.from(samples, ({ isEnd }) => Number(isEnd)),
  }));
}

/** Series in memory. */
export class SeriesInMemory implements SeriesSource {
  constructor(private readonly all: readonly SelectedSeries[]) {}

  select(selections: readonly Selection[]) {
    return Promise.resolve(
      selections.map(({ matchers, fromMs, toMs }) => {
        const selected = this.all.filter(({ labels }: { readonly labels: Labels }) => selectsLabels(matchers, labels));
        return selected.flatMap((each) => {
          const isWithin = (_: unknown, index: number): boolean => {
            const timeMs = each.timesMs[index] as number;
            return timeMs >= fromMs && timeMs <= toMs;
          };
          const timesMs = each.timesMs.filter(isWithin);
          const values = each.values.filter(isWithin);
          return timesMs.length === 0 ? [] : [{ ...each, timesMs, values, ends: each.ends?.filter(isWithin) }];
        });
      }),
    );
  }
}
