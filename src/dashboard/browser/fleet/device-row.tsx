import { holderText } from "../../model/device.ts";
import { ageText, memoryText, metricText } from "../../model/format.ts";
import { gpuPath, hostPath } from "../../pages.ts";
import { nowMs } from "../clock.ts";
import type { LiveFleet } from "../live/live-fleet.ts";

interface DeviceRowOptions {
  readonly live: LiveFleet;
  readonly position: number;
  /** As `aria-rowindex` counts: the header is 1. */
  readonly rowIndex: number;
  readonly isSelected: boolean;
  readonly onSelect: (position: number) => void;
}

/** A device in the table. */
export function DeviceRow({ live: { data }, position, rowIndex, isSelected, onSelect }: DeviceRowOptions) {
  const device = data.devices[position];
  const number = (metric: "gpu_utilization" | "power_draw" | "temperature"): string =>
    metricText(metric, data.value(metric, position));
  const [used = NaN, free = NaN] = [data.field("memory_used_mb")[position], data.field("memory_free_mb")[position]];
  return (
    <tr
      aria-rowindex={rowIndex}
      aria-current={isSelected ? "true" : undefined}
      data-uuid={device?.uuid}
      data-state={data.stateOf(position)}
      onClick={() => onSelect(position)}
    >
      <th scope="row" title={device?.uuid}>
        <a href={hostPath(device?.hostname ?? "")}>{device?.hostname}</a>
      </th>
      <td>
        <a href={gpuPath(device?.uuid ?? "")} aria-label={`GPU ${device?.index} of ${device?.hostname}`}>
          {device?.index}
          {device?.parentUuid === undefined ? "" : " MIG"}
        </a>
      </td>
      <td>{device?.model}</td>
      <td class="number">{number("gpu_utilization")}</td>
      <td class="number">{memoryText(used, free)}</td>
      <td class="number">{number("power_draw")}</td>
      <td class="number">{number("temperature")}</td>
      <td>{holderText(data.holders[position] ?? [])}</td>
      <td class="number">{ageText(data.timesMs[position] ?? -Infinity, nowMs())}</td>
    </tr>
  );
}
