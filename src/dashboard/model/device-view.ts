import type { FleetData } from "./fleet-data.ts";
import type { Search, SearchedTexts } from "./search.ts";

/** The devices that a search finds. */
export interface DeviceView {
  /** Their positions in the fleet, in ascending order. */
  readonly positions: Int32Array;
  /** The number of devices of each host, in the same order. */
  readonly hostSizes: readonly number[];
}

/** Finds the devices that the heat map and the table show. */
export function viewOf(data: FleetData, search: Search): DeviceView {
  const found: number[] = [];
  const hostSizes: number[] = [];
  let host: string | undefined;
  data.devices.forEach(({ clusterId, hostname }, position) => {
    if (!search(textsOf(data, position))) return;
    const place = `${clusterId}/${hostname}`;
    if (place !== host) hostSizes.push(0);
    host = place;
    hostSizes[hostSizes.length - 1] = (hostSizes.at(-1) ?? 0) + 1;
    found.push(position);
  });
  return { positions: Int32Array.from(found), hostSizes };
}

function textsOf({ devices, holders }: FleetData, position: number): SearchedTexts {
  const device = devices[position];
  const held = holders[position] ?? [];
  return {
    host: device?.hostname.toLowerCase() ?? "",
    model: device?.model.toLowerCase() ?? "",
    namespace: held.length === 0 ? "" : held.map(({ namespace }) => namespace.toLowerCase()).join(" "),
    pod: held.length === 0 ? "" : held.map(({ pod }) => pod.toLowerCase()).join(" "),
    uuid: device?.uuid.toLowerCase() ?? "",
  };
}
