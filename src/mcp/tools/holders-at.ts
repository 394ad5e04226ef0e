import type { GatewayApi } from "../gateway-api.ts";
import { continuation, counted, shown } from "../text.ts";
import { whoText } from "./holder-lines.ts";

type Filters = Readonly<Record<string, string>>;

/** Each device is a request to the store. */
const maxDevices = 50;

interface Asked {
  readonly at: string;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Who held the devices that match, at an instant. */
export async function holdersAt(api: GatewayApi, filters: Filters, { at, limit, cursor }: Asked): Promise<string> {
  const { uuids, total, next } = await devicesAt(api, filters, { at, limit: Math.min(limit, maxDevices), cursor });
  if (uuids.length === 0) return `Nothing is recorded of what was asked in the hour of ${at}.`;
  const lines: string[] = [];
  for (const [uuid, name] of uuids) {
    const { data } = await api.get("/api/v1/gpus/{uuid}/holders", { at }, { uuid });
    const [span] = data;
    const { state = "unknown", holders = [], job = "", user = "" } = span ?? {};
    const isOther =
      filters["namespace"] !== undefined && !holders.some(({ namespace }) => namespace === filters["namespace"]);
    if (isOther) continue;
    const text = state === "held" ? `held by ${whoText({ holders, job, user })}` : state;
    lines.push(`${name}: ${text}${state === "unknown" ? ", as no record says it" : ""}`);
  }
  const isPart = uuids.length < total;
  const of = isPart ? `; ${uuids.length} were looked at, of ${total} that had records in that hour` : "";
  return [`At ${at}, ${counted(lines.length, "device")}${of}`, ...lines, ...continuation(next)].join("\n");
}

/** The devices that had records in the hour of the instant, with their names. */
async function devicesAt(api: GatewayApi, filters: Filters, { at, limit, cursor }: Asked) {
  const { gpu_uuid: uuid } = filters;
  if (uuid !== undefined) return { uuids: [[uuid, shown(uuid)] as const], total: 1, next: undefined };
  const range = { start_time: at, end_time: at, step: "total", group_by: "device" };
  const answer = await api.get("/api/v1/usage", { ...filters, ...range, limit, cursor });
  const { data, next_cursor: next } = answer;
  const uuids = data.flatMap(({ uuid: each, hostname = "" }) =>
    each === undefined ? [] : [[each, `${shown(hostname)} ${shown(each)}`] as const],
  );
  return { uuids, total: answer.total ?? uuids.length, next };
}
