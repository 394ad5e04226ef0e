import type { FleetData } from "../../model/fleet-data.ts";
import { memoryText, metricText } from "../../model/format.ts";
import { holderText } from "../../model/device.ts";
import { gpuPath } from "../../pages.ts";
import type { LiveFleet } from "../live/live-fleet.ts";

/** The MIG instances of a GPU; nothing if it has none. */
export function MigInstances({
  live: { data },
  parentUuid,
}: {
  readonly live: LiveFleet;
  readonly parentUuid: string;
}) {
  const positions = [...data.devices.keys()].filter((each) => data.devices[each]?.parentUuid === parentUuid);
  if (positions.length === 0) return null;
  return (
    <section class="scroller" role="region" aria-labelledby="instances" tabIndex={0}>
      <table>
        <caption id="instances">MIG instances</caption>
        <thead>
          <tr>
            {["Instance", "Profile", "Utilization", "Memory", "Held by"].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {positions.map((position) => (
            <Instance key={data.devices[position]?.uuid} data={data} position={position} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Instance({ data, position }: { readonly data: FleetData; readonly position: number }) {
  const device = data.devices[position];
  const [used = NaN, free = NaN] = [data.field("memory_used_mb")[position], data.field("memory_free_mb")[position]];
  return (
    <tr>
      <th scope="row">
        <a href={gpuPath(device?.uuid ?? "")}>{device?.migInstanceId}</a>
      </th>
      <td>{device?.migProfile}</td>
      <td>{metricText("gpu_utilization", data.value("gpu_utilization", position))}</td>
      <td>{memoryText(used, free)}</td>
      <td>{holderText(data.holders[position] ?? [])}</td>
    </tr>
  );
}
