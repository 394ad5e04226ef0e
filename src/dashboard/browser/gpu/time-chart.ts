import uPlot from "uplot";
import type { ChartData } from "../../model/history.ts";
import type { TimeWindow } from "../../model/time-choice.ts";

/** The room left and right of the values, in pixels; the style sheet gives the lanes of the time axis the same. */
const leftPx = 64;
const rightPx = 12;
const heightPx = 170;

export interface TimeChartOptions {
  readonly width: number;
  /** The values' lowest and highest possible one, if the metric has both: then the scale is always the same. */
  readonly range: readonly [lowest: number, highest: number] | undefined;
  /** The pointer is at an instant, or has left. */
  readonly onPoint: (timeMs: number | undefined) => void;
  /** A range of time has been marked. */
  readonly onMark: (window: TimeWindow) => void;
}

/** A metric over time, drawn by uPlot. */
export class TimeChart {
  private readonly plot: uPlot;
  /** True while the chart itself moves its cursor. */
  private isMoving = false;

  constructor(element: HTMLElement, options: TimeChartOptions) {
    this.plot = new uPlot(this.settings(options), [[], [], [], []], element);
  }

  /** @param hasExtremes false: the lowest and highest values are the values themselves */
  show(data: ChartData, { fromMs, toMs }: TimeWindow, hasExtremes: boolean): void {
    const none = (): null[] => data[0].map(() => null);
    const drawn: ChartData = hasExtremes ? data : [data[0], data[1], none(), none()];
    this.plot.batch(() => {
      this.plot.setData(drawn, false);
      this.plot.setScale("x", { min: fromMs / 1000, max: toMs / 1000 });
    });
  }

  /** Puts the line of the pointer at an instant. */
  point(timeMs: number | undefined): void {
    this.isMoving = true;
    const left = timeMs === undefined ? -10 : this.plot.valToPos(timeMs / 1000, "x");
    this.plot.setCursor({ left, top: timeMs === undefined ? -10 : 0 }, false);
    this.isMoving = false;
  }

  resize(width: number): void {
    this.plot.setSize({ width, height: heightPx });
  }

  /** Draws again, in the colours of the present theme. */
  redraw(): void {
    this.plot.redraw(false, true);
  }

  close(): void {
    this.plot.destroy();
  }

  private settings({ width, range, onPoint, onMark }: TimeChartOptions): uPlot.Options {
    const line = { stroke: colourOf("--chart"), width: 1.5, points: { size: 4 } };
    const edge = { stroke: "transparent", points: { show: false } };
    return {
      ...{ width, height: heightPx, legend: { show: false }, padding: [8, rightPx, 0, 0] },
      cursor: { drag: { x: true, y: false, setScale: false }, y: false, points: { size: 7 } },
      scales: { x: { auto: false }, y: range === undefined ? {} : { range: [...range] } },
      series: [{}, line, edge, edge],
      bands: [{ series: [3, 2], fill: colourOf("--chart-band") }],
      axes: [axis({ values: timeFormats, space: 80 }), axis({ size: leftPx })],
      hooks: {
        setCursor: [
          (plot) => {
            const { left = -1 } = plot.cursor;
            if (!this.isMoving) onPoint(left < 0 ? undefined : plot.posToVal(left, "x") * 1000);
          },
        ],
        setSelect: [
          (plot) => {
            const { left, width: marked } = plot.select;
            if (marked === 0) return;
            onMark({ fromMs: plot.posToVal(left, "x") * 1000, toMs: plot.posToVal(left + marked, "x") * 1000 });
            plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          },
        ],
      },
    };
  }
}

const axis = (more: uPlot.Axis): uPlot.Axis => ({
  stroke: colourOf("--faint"),
  grid: { stroke: colourOf("--line"), width: 1 },
  ticks: { stroke: colourOf("--line"), width: 1 },
  font: "12px system-ui, sans-serif",
  ...more,
});

/** A colour of the style sheet, as the theme has it when the chart is drawn. */
const colourOf = (name: string) => (): string => {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
};

/** How times are written, from which distance between two of them on, in seconds; and how if the day before them is another one. */
const timeFormats: uPlot.Axis.Values = [
  [86_400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", "\n{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
];
