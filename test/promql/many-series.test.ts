import { describe, expect, test } from "bun:test";
import { LabelPart } from "../../src/promql/label-part.ts";
import { Labels, labelsOf, withLabel, withoutName } from "../../src/promql/labels.ts";
import { LabelsMap } from "../../src/promql/labels-map.ts";
import { instantQuery } from "../../src/promql/query.ts";
import { Work } from "../../src/promql/work.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { RecordSeries } from "../../src/routes/answers/promql/record-series.ts";
import { SeriesInMemory } from "./series-set.ts";

const atMs = Date.UTC(2026, 0, 5);

function partsOf(series: number, limit?: number) {
  const devices = Array.from({ length: 1000 }, (_, gpu) => new LabelPart([["UUID", `GPU-${gpu}`]]));
  const timesMs = Float64Array.of(atMs);
  const all = Array.from({ length: series }, (_, index) => ({
    labels: Labels.of(
      devices[index % 1000] as LabelPart,
      new LabelPart([["__name__", `m${Math.floor(index / 1000)}`]]),
    ),
    ...{ timesMs, values: timesMs, ends: undefined },
  }));
  const work = new Work({ clock: systemClock, signal: new AbortController().signal, timeoutMs: 600_000 });
  return { source: new SeriesInMemory(all), work, limit };
}

describe("a query of very many series", () => {
  test("lets the rest of the process have its turn many times", async () => {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const result = await instantQuery('count({__name__=~".+"} > 0)', atMs, partsOf(60_000));
    isOver = true;
    expect(result).toMatchObject({ type: "vector", series: [{ point: { value: 60_000 } }] });
    // the labels of each series are read at least three times: to select, to compare, and to group
    expect(turns).toBeGreaterThan(20);
  });

  test("is answered with as many series as are wanted, and refused if all of them are too many", async () => {
    const query = '{__name__=~".+"}';
    const first = await instantQuery(query, atMs, partsOf(60_000, 3));
    expect(first).toMatchObject({ type: "vector", isCut: true });
    expect("series" in first && first.series.length).toBe(3);
    const tooMany = /the answer has 60000 series, more than 50000/;
    await expect(instantQuery(query, atMs, partsOf(60_000))).rejects.toThrow(tooMany);
    await expect(instantQuery(`${query}[5m]`, atMs, partsOf(60_000))).rejects.toThrow(tooMany);
  });

  test("is refused before more series are made than a query may hold", () => {
    const { work } = partsOf(0);
    let made = 0;
    const series = new RecordSeries([], () => {
      work.holdSeries();
      made += 1;
    });
    const gpu = { hostname: "host", gpuId: 0, device: "nvidia0", modelName: "H100", clusterId: "c" };
    const more = { driverVersion: "", properties: {} };
    const custom = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`custom_${index}`, [1]]));
    const add = (device: number): number =>
      series.addColumns({
        gpu: { ...gpu, ...more, uuid: `GPU-${device}` },
        ...{ occupants: [], timesMs: [atMs], metrics: {}, custom },
      });
    expect(() => {
      for (let device = 0; device < 300; device += 1) add(device);
    }).toThrow(/more than 250000 series into memory; select fewer devices, or fewer metrics/);
    expect(made).toBe(250_000);
  });
});

describe("labels", () => {
  test("are equal however they are divided into parts", () => {
    const whole = labelsOf([
      ["pod", "train-0"],
      ["UUID", "GPU-1"],
      ["__name__", "temperature"],
      ["empty", ""],
    ]);
    const device = new LabelPart([["UUID", "GPU-1"]]);
    const divided = [
      Labels.of(new LabelPart([...device.texts, ["pod", "train-0"]]), new LabelPart([["__name__", "temperature"]])),
      Labels.of(device, new LabelPart([["__name__", "temperature"], ["pod", "train-0"]])), // prettier-ignore
      withLabel(Labels.of(device, new LabelPart([["__name__", "temperature"]])), "pod", "train-0"),
    ];
    const map = new LabelsMap<number>();
    map.set(whole, 1);
    for (const each of divided) {
      expect([each.equals(whole), map.get(each), each.entries()]).toEqual([true, 1, whole.entries()]);
    }
    for (const other of [withoutName(whole), withLabel(whole, "pod", "train-1"), withLabel(whole, "pod", "")]) {
      expect([other.equals(whole), map.has(other)]).toEqual([false, false]);
    }
    expect([...map.values()]).toEqual([1]);
  });

  test("of their own count where the device has a label of the name, also if they are empty", () => {
    const device = new LabelPart([["pod", "train-0"], ["UUID", "GPU-1"]]); // prettier-ignore
    expect(Labels.of(device, new LabelPart([["pod", "own"]])).get("pod")).toBe("own");
    expect(Labels.of(device, new LabelPart([["pod", ""]])).entries()).toEqual([["UUID", "GPU-1"]]);
  });
});
