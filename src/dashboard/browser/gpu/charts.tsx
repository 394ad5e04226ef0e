import { useMemo, useState } from "preact/hooks";
import { dateText, quantityText } from "../../model/format.ts";
import { gapAfterMs, pointAt, pointsOf } from "../../model/history.ts";
import { itemsIn, type Lasting } from "../../model/lane.ts";
import type { TimeWindow } from "../../model/time-choice.ts";
import { type DeviceHistory, type Metric, stepMs } from "../live/device-api.ts";
import { MetricChart } from "./metric-chart.tsx";
import { TimeLane } from "./time-lane.tsx";

interface ChartsOptions {
  readonly metrics: readonly Metric[];
  readonly history: DeviceHistory;
  readonly holdings: readonly Lasting[];
  readonly faults: readonly Lasting[];
  readonly window: TimeWindow;
  readonly onMark: (window: TimeWindow) => void;
}

/** The charts of a GPU, one below the other on one axis of time, with who held it and its faults. */
export function Charts({ metrics, history, holdings, faults, window, onMark }: ChartsOptions) {
  const [pointedMs, point] = useState<number | undefined>(undefined);
  const { records, resolution } = history;
  const step = stepMs[resolution];
  const texts = useTexts(history, metrics, pointedMs);
  return (
    <div
      class="charts"
      role="application"
      aria-label="Charts. The left and right arrow keys go from value to value, Escape leaves them."
      tabIndex={0}
      onKeyDown={(event) => {
        const next = afterKey(event.key, { times: records.map(({ timeMs }) => timeMs), pointedMs });
        if (next === null) return;
        event.preventDefault();
        point(next);
      }}
      onMouseLeave={() => point(undefined)}
    >
      <TimeLane title="Held by" items={itemsIn(holdings, window)} window={window} empty="no workload in this window" />
      <TimeLane title="Faults" items={itemsIn(faults, window)} window={window} empty="none in this window" isFault />
      {metrics.map((metric) => (
        <MetricChart
          key={metric.name}
          {...{ metric, records, step, window, pointedMs, onMark }}
          onPoint={(timeMs) => point(timeMs === undefined ? undefined : nearest(records, timeMs))}
        />
      ))}
      <p class="for-readers" aria-live="polite" id="pointed">
        {texts}
      </p>
    </div>
  );
}

/** What all metrics were at the chosen instant, as one sentence. */
function useTexts({ records, resolution }: DeviceHistory, metrics: readonly Metric[], pointedMs: number | undefined) {
  return useMemo(() => {
    if (pointedMs === undefined) return "";
    const values = metrics.map(({ name, description, unit }) => {
      const points = pointsOf(records, name);
      const found = pointAt(points, pointedMs, gapAfterMs(points, stepMs[resolution]));
      return `${description} ${quantityText(found?.value, unit)}`;
    });
    return [dateText(pointedMs), ...values].join(", ");
  }, [records, resolution, metrics, pointedMs]);
}

function nearest(records: DeviceHistory["records"], timeMs: number): number {
  const distance = (atMs: number): number => Math.abs(atMs - timeMs);
  const found = records.reduce((best, each) => (distance(each.timeMs) < distance(best) ? each.timeMs : best), Infinity);
  return found === Infinity ? timeMs : found;
}

/** @returns the instant to which a key leads, undefined for none, or null if the key has no meaning here */
function afterKey(
  key: string,
  { times, pointedMs }: { readonly times: readonly number[]; readonly pointedMs: number | undefined },
): number | undefined | null {
  if (key === "Escape") return undefined;
  if (key === "Home") return times[0];
  if (key === "End" || (key === "ArrowLeft" && pointedMs === undefined)) return times.at(-1);
  if (key === "ArrowLeft") return times.findLast((each) => each < (pointedMs ?? 0)) ?? times[0];
  if (key === "ArrowRight") return times.find((each) => each > (pointedMs ?? Infinity)) ?? times.at(-1);
  return null;
}
