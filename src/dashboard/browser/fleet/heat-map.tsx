import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { DeviceView } from "../../model/device-view.ts";
import { type HeatMapLayout, layOut, moves, neighbour, placeAt } from "../../model/heat-map-layout.ts";
import { metricFacts, type MetricKey } from "../../model/metric.ts";
import type { LiveFleet } from "../live/live-fleet.ts";
import { DeviceTip, deviceSentence } from "./device-tip.tsx";
import { HeatMapCanvas } from "./heat-map-canvas.ts";
import { Legend } from "./legend.tsx";
import { useWidth } from "./use-width.ts";

interface HeatMapOptions {
  readonly live: LiveFleet;
  readonly view: DeviceView;
  readonly metric: MetricKey;
  /** The position of the selected device. */
  readonly selected: number | undefined;
  readonly onSelect: (position: number) => void;
  /** Goes to the device's row. */
  readonly onOpen: (position: number) => void;
}

/** Hosts x GPUs, one cell each. */
export function HeatMap(options: HeatMapOptions) {
  const { live, view, metric, selected } = options;
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const [hovered, setHovered] = useState<number | undefined>(undefined);
  const [hasFocus, setFocus] = useState(false);
  const layout = useMemo(
    () => layOut(view.hostSizes, { widthPx: width, heightPx: Math.min(420, Math.max(240, width / 2)) }),
    [view, width],
  );
  const { canvas, overlay, range } = useDrawing({ live, view, metric, layout, marked: [hovered, selected] });
  const shown = hovered ?? (hasFocus ? selected : undefined);
  const place = shown === undefined ? -1 : view.positions.indexOf(shown);
  return (
    <div class="heat-map" ref={frame}>
      <div
        class="cells"
        role="application"
        aria-label={`Heat map of ${metricFacts[metric].label.toLowerCase()}, ${view.positions.length} devices. Arrow keys select a device, Enter goes to its row.`}
        aria-describedby="selected-device"
        tabIndex={0}
        {...pointerHandlers(options, layout, setHovered)}
        {...keyHandlers(options, layout, setFocus)}
      >
        <canvas class="values" ref={canvas} aria-hidden="true" />
        <canvas class="overlay" ref={overlay} aria-hidden="true" />
        {shown !== undefined && place !== -1 && (
          <DeviceTip live={live} position={shown} metric={metric} layout={layout} place={place} />
        )}
      </div>
      <p id="selected-device" class="for-readers" aria-live="polite">
        {hasFocus && selected !== undefined ? deviceSentence(live, selected, metric) : ""}
      </p>
      <Legend metric={metric} range={range} />
    </div>
  );
}

function pointerHandlers(
  { view, onOpen }: HeatMapOptions,
  layout: HeatMapLayout,
  setHovered: (position: number | undefined) => void,
) {
  const at = (event: MouseEvent): number | undefined => {
    const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const found = placeAt(layout, event.clientX - left, event.clientY - top);
    return found === undefined ? undefined : view.positions[found];
  };
  return {
    onMouseMove: (event: MouseEvent) => setHovered(at(event)),
    onMouseLeave: () => setHovered(undefined),
    onClick: (event: MouseEvent) => {
      const position = at(event);
      if (position !== undefined) onOpen(position);
    },
  };
}

function keyHandlers(
  { view, selected, onSelect, onOpen }: HeatMapOptions,
  layout: HeatMapLayout,
  setFocus: (hasFocus: boolean) => void,
) {
  const selectedPlace = selected === undefined ? -1 : view.positions.indexOf(selected);
  return {
    onFocus: () => {
      setFocus(true);
      if (selectedPlace === -1 && view.positions[0] !== undefined) onSelect(view.positions[0]);
    },
    onBlur: () => setFocus(false),
    onKeyDown: (event: KeyboardEvent) => {
      const next = placeAfter(event.key, selectedPlace, layout);
      if (next !== undefined) onSelect(view.positions[next] ?? 0);
      else if (event.key === "Enter" && selected !== undefined) onOpen(selected);
      else return;
      event.preventDefault();
    },
  };
}

function placeAfter(key: string, place: number, layout: HeatMapLayout): number | undefined {
  const count = layout.cells.length;
  if (count === 0) return undefined;
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (!(key in moves)) return undefined;
  return place === -1 ? 0 : neighbour(layout, place, moves[key as keyof typeof moves]);
}

interface DrawingOptions extends Pick<HeatMapOptions, "live" | "view" | "metric"> {
  readonly layout: HeatMapLayout;
  /** The positions of devices that have a mark. */
  readonly marked: readonly (number | undefined)[];
}

/** Draws the cells when what is shown changes, and those of changed devices with each frame. */
function useDrawing({ live, view, metric, layout, marked }: DrawingOptions) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const drawing = useRef<HeatMapCanvas | undefined>(undefined);
  const [range, setRange] = useState<readonly [number, number]>([0, 100]);
  useEffect(() => {
    if (canvas.current === null || overlay.current === null) return undefined;
    const made = new HeatMapCanvas(canvas.current, overlay.current, { data: live.data, metric, view, layout });
    drawing.current = made;
    setRange(made.pixels.range);
    return live.frames.on((changed) => {
      if (made.paintChanged(changed)) setRange(made.pixels.range);
    });
  }, [live, view, metric, layout]);
  useEffect(() => {
    const places = marked.map((position) => (position === undefined ? undefined : view.positions.indexOf(position)));
    drawing.current?.mark(places);
  }, [view, metric, layout, ...marked]);
  return { canvas, overlay, range };
}
