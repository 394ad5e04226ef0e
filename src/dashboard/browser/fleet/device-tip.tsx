import { type DeviceState, holderText } from "../../model/device.ts";
import { ageText, metricText } from "../../model/format.ts";
import type { HeatMapLayout } from "../../model/heat-map-layout.ts";
import { metricFacts, type MetricKey } from "../../model/metric.ts";
import { nowMs } from "../clock.ts";
import { useEmitter } from "../live/emitter.ts";
import type { LiveFleet } from "../live/live-fleet.ts";

interface DeviceTipOptions {
  readonly live: LiveFleet;
  readonly position: number;
  readonly metric: MetricKey;
  readonly layout: HeatMapLayout;
  /** The device's place in the view. */
  readonly place: number;
}

const stateTexts: Readonly<Record<DeviceState, string>> = {
  reporting: "",
  stale: "stale",
  maintenance: "under maintenance",
  unreported: "no record yet",
};

/** Says which device a cell is, next to it. */
export function DeviceTip({ live, position, metric, layout, place }: DeviceTipOptions) {
  useEmitter(live.ticks);
  const { device, value, age, holder, state } = factsOf(live, position, metric);
  const { columns, cellPx, cells } = layout;
  const cell = cells[place] ?? 0;
  const left = ((cell % columns) + 1) * cellPx;
  const isRight = left > (columns * cellPx) / 2;
  const style = {
    top: `${(Math.floor(cell / columns) + 1) * cellPx + 6}px`,
    ...(isRight ? { right: `calc(100% - ${left - cellPx - 6}px)` } : { left: `${left + 6}px` }),
  };
  return (
    <div class="tip" style={style} aria-hidden="true">
      <strong>
        {device?.hostname} · GPU {device?.index}
      </strong>
      <span>{device?.model || "model unknown"}</span>
      <span>
        {metricFacts[metric].label}: {value}
      </span>
      <span>
        {age === "never" ? "" : `${age} ago`} {state}
      </span>
      <span>{holder === "" ? "no holder" : `held by ${holder}`}</span>
    </div>
  );
}

/** The same as one sentence, for screen readers. */
export function deviceSentence(live: LiveFleet, position: number, metric: MetricKey): string {
  const { device, value, holder, state } = factsOf(live, position, metric);
  const parts = [
    `${device?.hostname ?? ""}, GPU ${device?.index ?? ""}`,
    device?.model ?? "",
    `${metricFacts[metric].label} ${value}`,
    state,
    holder === "" ? "no holder" : `held by ${holder}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function factsOf({ data }: LiveFleet, position: number, metric: MetricKey) {
  return {
    device: data.devices[position],
    value: metricText(metric, data.value(metric, position)),
    age: ageText(data.timesMs[position] ?? -Infinity, nowMs()),
    holder: holderText(data.holders[position] ?? []),
    state: stateTexts[data.stateOf(position)],
  };
}
