import { useEffect, useMemo, useRef } from "preact/hooks";
import { quantityText } from "../../model/format.ts";
import { chartDataOf, figuresOf, gapAfterMs, type HistoryRecord, pointAt, pointsOf } from "../../model/history.ts";
import type { TimeWindow } from "../../model/time-choice.ts";
import { useWidth } from "../fleet/use-width.ts";
import type { Metric } from "../live/device-api.ts";
import { TimeChart } from "./time-chart.ts";

export interface MetricChartOptions {
  readonly metric: Metric;
  readonly records: readonly HistoryRecord[];
  /** The time between averages; undefined: these are the values themselves. */
  readonly step: number | undefined;
  readonly window: TimeWindow;
  /** The instant that the pointer or the arrow keys have chosen. */
  readonly pointedMs: number | undefined;
  readonly onPoint: (timeMs: number | undefined) => void;
  readonly onMark: (window: TimeWindow) => void;
}

/** A metric over time, with its figures in words. */
export function MetricChart(options: MetricChartOptions) {
  const { metric, records, step, window, pointedMs } = options;
  const frame = useRef<HTMLDivElement>(null);
  const points = useMemo(() => {
    const isSeen = ({ timeMs }: HistoryRecord): boolean => timeMs >= window.fromMs && timeMs <= window.toMs;
    return pointsOf(records.filter(isSeen), metric.name);
  }, [records, metric, window]);
  const gapMs = gapAfterMs(points, step);
  const data = useMemo(() => chartDataOf(points, gapMs), [points, gapMs]);
  useChart(frame, options, data);
  const text = (value: number | undefined): string => quantityText(value, metric.unit);
  const figures = figuresOf(points, gapMs);
  const pointed = pointedMs === undefined ? undefined : pointAt(points, pointedMs, gapMs);
  return (
    <figure class="chart" data-metric={metric.name}>
      <figcaption>
        <strong>{metric.description}</strong>
        {figures === undefined ? (
          <span>no data in this window</span>
        ) : (
          <span>
            <span data-figure="newest">newest {text(figures.newest)}</span>, lowest {text(figures.lowest)}, highest{" "}
            {text(figures.highest)}
            {figures.gaps > 0 && `, ${figures.gaps} ${figures.gaps === 1 ? "gap" : "gaps"}`}
          </span>
        )}
        {pointedMs !== undefined && <output>{text(pointed?.value)}</output>}
      </figcaption>
      <div ref={frame} aria-hidden="true" />
    </figure>
  );
}

/** Draws the chart, and again when what it shows changes. */
function useChart(
  frame: { readonly current: HTMLDivElement | null },
  { metric, step, window, pointedMs, onPoint, onMark }: MetricChartOptions,
  data: ReturnType<typeof chartDataOf>,
): void {
  const width = useWidth(frame);
  const chart = useRef<TimeChart | undefined>(undefined);
  const handlers = useRef({ onPoint, onMark });
  handlers.current = { onPoint, onMark };
  useEffect(() => {
    if (frame.current === null) return undefined;
    const made = new TimeChart(frame.current, {
      width: frame.current.clientWidth,
      range: metric.unit === "percent" ? [0, 100] : undefined,
      onPoint: (timeMs) => handlers.current.onPoint(timeMs),
      onMark: (marked) => handlers.current.onMark(marked),
    });
    chart.current = made;
    const stopFollowing = onThemeChange(() => made.redraw());
    return () => {
      stopFollowing();
      made.close();
    };
  }, [metric]);
  useEffect(() => chart.current?.resize(width), [width, metric]);
  useEffect(() => chart.current?.show(data, window, step !== undefined), [data, window, step, metric]);
  useEffect(() => chart.current?.point(pointedMs), [pointedMs, metric]);
}

/** Calls `work` when the page's colours change. @returns a function that ends it */
function onThemeChange(work: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(work);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  system.addEventListener("change", work);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", work);
  };
}
