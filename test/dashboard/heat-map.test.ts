import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { colourAt, colourTable, shadeOf, specialColours } from "../../src/dashboard/model/colour-scale.ts";
import { layOut, moves, neighbour, placeAt } from "../../src/dashboard/model/heat-map-layout.ts";
import { HeatMapPixels } from "../../src/dashboard/model/heat-map-pixels.ts";
import { everyone, fleetOf, startMs } from "./fleet.ts";

describe("the layout", () => {
  test("gives each device a cell of its own, and finds it there", () => {
    const hosts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 300 });
    const room = fc.record({
      widthPx: fc.integer({ min: 0, max: 2000 }),
      heightPx: fc.integer({ min: 100, max: 600 }),
    });
    fc.assert(
      fc.property(hosts, room, (sizes, size) => {
        const layout = layOut(sizes, size);
        const count = sizes.reduce((sum, each) => sum + each, 0);
        expect(new Set(layout.cells).size).toBe(count);
        layout.cells.forEach((cell, place) => {
          const [column, row] = [cell % layout.columns, Math.floor(cell / layout.columns)];
          expect(row).toBeLessThan(layout.rows);
          expect(placeAt(layout, (column + 0.5) * layout.cellPx, (row + 0.5) * layout.cellPx)).toBe(place);
        });
      }),
    );
  });

  test.each([
    [4, 8, 1200],
    [31, 8, 1200],
    [1250, 8, 1200],
    [1250, 8, 330],
    [12_500, 8, 1200],
    [72, 16, 800],
  ])("of %i hosts with %i GPUs fits into %i x 400 pixels", (hosts, gpus, widthPx) => {
    const { columns, rows, cellPx } = layOut(new Array<number>(hosts).fill(gpus), { widthPx, heightPx: 400 });
    expect(columns * cellPx).toBeLessThanOrEqual(widthPx);
    expect(rows * cellPx).toBeLessThanOrEqual(400);
  });

  test("has no device beyond its edges, or between two blocks", () => {
    const layout = layOut([2, 2, 2], { widthPx: 110, heightPx: 44 });
    expect([layout.columns, layout.rows, layout.cellPx]).toEqual([5, 2, 22]);
    const points = [
      [-1, 0],
      [0, -1],
      [110, 0],
      [0, 44],
      [50, 10],
      [70, 30],
    ] as const;
    expect(points.map(([x, y]) => placeAt(layout, x, y))).toEqual(points.map(() => undefined));
    expect([placeAt(layout, 0, 0), placeAt(layout, 30, 30), placeAt(layout, 100, 0)]).toEqual([0, 3, 5]);
  });

  test("the arrow keys lead to the next device, across gaps, and stop at the edge", () => {
    const layout = layOut([2, 2, 2], { widthPx: 110, heightPx: 44 });
    const { ArrowLeft, ArrowRight, ArrowUp, ArrowDown } = moves;
    expect([ArrowRight, ArrowDown, ArrowLeft, ArrowUp].map((move) => neighbour(layout, 0, move))).toEqual([1, 2, 0, 0]);
    expect([
      neighbour(layout, 1, ArrowRight),
      neighbour(layout, 4, ArrowLeft),
      neighbour(layout, 4, ArrowDown),
    ]).toEqual([4, 1, 4]);
  });
});

describe("the colours", () => {
  test("of the scale grow lighter, and those of devices without a present value are not among them", () => {
    const scale = Array.from({ length: 256 }, (_, shade) => colourAt(shade / 255));
    const lightness = scale.map(([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue);
    expect(lightness.every((each, index) => index === 0 || each >= (lightness[index - 1] ?? 0) - 1)).toBe(true);
    for (const special of Object.values(specialColours)) {
      const distances = scale.map((colour) =>
        Math.hypot(...colour.map((each, channel) => each - (special[channel] ?? 0))),
      );
      expect(Math.min(...distances)).toBeGreaterThan(60);
    }
    expect(new Set(colourTable()).size).toBeGreaterThan(200);
  });

  test("never show absence as 0, nor an old value as a present one", () => {
    const range = [0, 100] as const;
    expect(shadeOf("reporting", 0, range)).toBe(0);
    expect(shadeOf("reporting", 100, range)).toBe(255);
    expect([shadeOf("reporting", -5, range), shadeOf("reporting", 500, range)]).toEqual([0, 255]);
    const special = [
      shadeOf("reporting", NaN, range),
      shadeOf("stale", 50, range),
      shadeOf("maintenance", 50, range),
      shadeOf("unreported", NaN, range),
    ];
    expect(special.every((shade) => shade > 255)).toBe(true);
    expect(special).toEqual([special[3] ?? 0, 257, 258, 256]);
  });
});

test("an update paints the cells of the changed devices only, and all of them if the scale grows", () => {
  const data = fleetOf([{ index: "0" }, { power_draw: 100 }], [{ index: "1" }, { power_draw: 50 }], [{ index: "2" }]);
  const layout = layOut([3], { widthPx: 100, heightPx: 100 });
  const map = new HeatMapPixels(data, "power_draw", { view: everyone(data), layout, pixels: new Uint32Array(3) });
  const report = (position: number, powerDraw: number): void => {
    const { uuid = "" } = data.devices[position] ?? {};
    data.apply({ uuid, timeMs: startMs, values: { power_draw: powerDraw }, holders: undefined });
  };
  map.paintAll();
  const before = [...map.pixels];
  expect([map.range, before[2]]).toEqual([[0, 100], colourTable()[256]]);
  report(1, 100);
  report(0, 0);
  expect(map.paintChanged([1])).toBe(false);
  expect([...map.pixels]).toEqual([before[0], before[0], before[2]] as number[]);
  report(1, 101);
  expect(map.paintChanged([1])).toBe(true);
  expect(map.range).toEqual([0, 200]);
  expect(map.pixels[0]).toBe(colourTable()[0] ?? NaN);
});
