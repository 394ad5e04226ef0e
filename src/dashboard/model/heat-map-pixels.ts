import { colourTable, shadeOf } from "./colour-scale.ts";
import type { FleetData } from "./fleet-data.ts";
import type { HeatMapLayout } from "./heat-map-layout.ts";
import { metricFacts, type MetricKey } from "./metric.ts";

/** The pixels of a heat map. An update writes those of the changed devices only. */
export class HeatMapPixels {
  readonly pixels: Uint32Array;
  /** The values of the scale's ends. */
  range: readonly [lowest: number, highest: number];
  private readonly colours = colourTable();
  /** The cell of each device of the fleet, by its position; -1: it is not in the view. */
  private readonly cellOf: Int32Array;

  /** @param view the positions of the devices that are shown
   *  @param pixels where to write; a cell without a device stays as it is */
  constructor(
    private readonly data: FleetData,
    private readonly metric: MetricKey,
    {
      view,
      layout,
      pixels,
    }: { readonly view: Int32Array; readonly layout: HeatMapLayout; readonly pixels: Uint32Array },
  ) {
    this.pixels = pixels;
    this.cellOf = new Int32Array(data.size).fill(-1);
    view.forEach((position, place) => (this.cellOf[position] = layout.cells[place] ?? -1));
    this.range = rangeOf(data, metric);
  }

  paintAll(): void {
    this.range = rangeOf(this.data, this.metric);
    for (let position = 0; position < this.cellOf.length; position++) this.paint(position);
  }

  /** @returns true if the scale has changed, and with it every cell */
  paintChanged(changed: readonly number[]): boolean {
    const isBeyond = (position: number): boolean => this.data.value(this.metric, position) > this.range[1];
    if (metricFacts[this.metric].highest === undefined && changed.some(isBeyond)) {
      this.paintAll();
      return true;
    }
    for (const position of changed) this.paint(position);
    return false;
  }

  private paint(position: number): void {
    const cell = this.cellOf[position] ?? -1;
    if (cell === -1) return;
    const shade = shadeOf(this.data.stateOf(position), this.data.value(this.metric, position), this.range);
    this.pixels[cell] = this.colours[shade] ?? 0;
  }
}

/** The highest value of the fleet is rounded up, so that the scale seldom changes. */
const roundTo = 100;

function rangeOf(data: FleetData, metric: MetricKey): readonly [number, number] {
  const { lowest, highest } = metricFacts[metric];
  if (highest !== undefined) return [lowest, highest];
  let found = 0;
  for (let position = 0; position < data.size; position++) {
    const value = data.value(metric, position);
    if (value > found) found = value;
  }
  return [lowest, Math.max(roundTo, Math.ceil(found / roundTo) * roundTo)];
}
