import type { GatewayApi } from "../gateway-api.ts";
import { counted, shown } from "../text.ts";
import type { HistoryAsked } from "./read-series.ts";

/** How many readings are missing in the hours of a range, and why. */
export async function coverageLines(api: GatewayApi, asked: HistoryAsked): Promise<string[]> {
  const { gpu_uuid, hostname, cluster_id, start_time, end_time } = asked;
  const by = gpu_uuid !== undefined ? "device" : hostname !== undefined ? "host" : "cluster";
  const query = { gpu_uuid, hostname, cluster_id, start_time, end_time, by, step: "total", limit: 10 };
  const { data } = await api.get("/api/v1/coverage", query);
  return data.map(({ expected, received, missing, missed, devices, cluster_id: cluster, hostname: host }) => {
    const reasons = Object.entries(missed).map(([reason, count]) => `${count} ${reason}`);
    const place = [cluster, host].flatMap((name) => (name === undefined ? [] : [shown(name)])).join("/");
    const of = by === "device" ? "" : ` of ${place}, ${counted(devices, "device")},`;
    const due = expected === undefined ? "; how many were due is not known" : ` of ${expected} that were due`;
    const lacking =
      missing === 0 ? "none is missing" : `${missing} missing (${reasons.join(", ") || "the reason is not known"})`;
    return `Readings${of} in these whole hours: ${received}${due}; ${lacking}`;
  });
}
