import type { Device } from "../../model/device.ts";
import { quantityText } from "../../model/format.ts";
import { figuresOf, gapAfterMs, type HistoryRecord, type Points, pointsOf } from "../../model/history.ts";
import type { TimeWindow } from "../../model/time-choice.ts";
import { gpuPath } from "../../pages.ts";

const [width, height] = [200, 44];
const minuteMs = 60_000;

interface SmallChartOptions {
  readonly device: Device;
  /** Averages by the minute. */
  readonly records: readonly HistoryRecord[];
  readonly window: TimeWindow;
}

/** The utilization of a GPU, small; it leads to the GPU's page. */
export function SmallChart({ device, records, window }: SmallChartOptions) {
  const points = pointsOf(records, "gpu_utilization");
  const gapMs = gapAfterMs(points, minuteMs);
  const figures = figuresOf(points, gapMs);
  const name = `GPU ${device.index}${device.migInstanceId === undefined ? "" : ` MIG ${device.migInstanceId}`}`;
  const text =
    figures === undefined
      ? "no data"
      : `${quantityText(figures.lowest, "percent")} to ${quantityText(figures.highest, "percent")}`;
  return (
    <a class="small-chart" href={gpuPath(device.uuid)} data-uuid={device.uuid}>
      <strong>{name}</strong> <small>{text}</small>
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
        <path d={pathOf(points, window, gapMs)} />
      </svg>
    </a>
  );
}

/** A line through the values, with a break in each gap. */
function pathOf(points: Points, { fromMs, toMs }: TimeWindow, gapMs: number): string {
  let beforeMs = -Infinity;
  return points
    .map(({ timeMs, value }) => {
      const command = timeMs - beforeMs > gapMs ? "M" : "L";
      beforeMs = timeMs;
      const x = (width * (timeMs - fromMs)) / (toMs - fromMs);
      return `${command}${x.toFixed(1)} ${(height - 2 - ((height - 4) * value) / 100).toFixed(1)}`;
    })
    .join("");
}
