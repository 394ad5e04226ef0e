import type { DeviceView } from "../../model/device-view.ts";
import type { FleetData } from "../../model/fleet-data.ts";
import type { HeatMapLayout } from "../../model/heat-map-layout.ts";
import { HeatMapPixels } from "../../model/heat-map-pixels.ts";
import type { MetricKey } from "../../model/metric.ts";

/** A smaller cell has no room for lines between cells. */
const gridFromPx = 6;
/** White within black can be seen on every colour. */
const markLines = [
  ["black", 5],
  ["white", 2],
] as const;

/** Draws a heat map. Cells are the pixels of one image, which the browser enlarges without smoothing; what is under the pointer or
 *  selected is on a second canvas above it, so that the pointer never causes cells to be drawn. */
export class HeatMapCanvas {
  readonly pixels: HeatMapPixels;
  private readonly image: ImageData;
  private readonly context: CanvasRenderingContext2D;
  private readonly layout: HeatMapLayout;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly overlay: HTMLCanvasElement,
    {
      data,
      metric,
      view,
      layout,
    }: {
      readonly data: FleetData;
      readonly metric: MetricKey;
      readonly view: DeviceView;
      readonly layout: HeatMapLayout;
    },
  ) {
    const { columns, rows, cellPx } = layout;
    [canvas.width, canvas.height] = [columns, rows];
    for (const each of [canvas, overlay]) {
      each.style.width = `${columns * cellPx}px`;
      each.style.height = `${rows * cellPx}px`;
    }
    // the lines between cells are the style sheet's, so that they follow the theme
    overlay.classList.toggle("grid", cellPx >= gridFromPx);
    overlay.style.setProperty("--cell", `${cellPx}px`);
    this.context = contextOf(canvas);
    this.image = this.context.createImageData(columns, rows);
    const pixels = new Uint32Array(this.image.data.buffer);
    this.pixels = new HeatMapPixels(data, metric, { view: view.positions, layout, pixels });
    this.layout = layout;
    this.paintAll();
    this.mark([]);
  }

  private paintAll(): void {
    this.pixels.paintAll();
    this.context.putImageData(this.image, 0, 0);
  }

  /** @returns true if the scale has changed */
  paintChanged(changed: readonly number[]): boolean {
    const hasNewScale = this.pixels.paintChanged(changed);
    this.context.putImageData(this.image, 0, 0);
    return hasNewScale;
  }

  /** Draws the marks of the devices at some places of the view. */
  mark(places: readonly (number | undefined)[]): void {
    const { columns, rows, cellPx, cells } = this.layout;
    const { overlay } = this;
    const ratio = devicePixelRatio;
    [overlay.width, overlay.height] = [columns * cellPx * ratio, rows * cellPx * ratio];
    const context = contextOf(overlay);
    context.scale(ratio, ratio);
    for (const place of places) {
      const cell = place === undefined ? undefined : cells[place];
      if (cell === undefined) continue;
      const [x, y] = [(cell % columns) * cellPx, Math.floor(cell / columns) * cellPx];
      for (const [colour, width] of markLines) {
        [context.strokeStyle, context.lineWidth] = [colour, width];
        context.strokeRect(x - 1, y - 1, cellPx + 1, cellPx + 1);
      }
    }
  }
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser cannot draw on a canvas");
  return context;
}
