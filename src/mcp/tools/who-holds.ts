import { holderLabelsOf, noLabels } from "../../domain/usage/labels.ts";
import type { AnswerOf, GatewayApi } from "../gateway-api.ts";
import { atMost, cursor as cursorArgument, oneOf, optionalText, places, time } from "../parameters.ts";
import { partOf } from "../part-of.ts";
import { counted } from "../text.ts";
import { defineTool } from "../tool.ts";
import { type Device, deviceLine, groupLines, isFree } from "./holder-lines.ts";
import { holdersAt } from "./holders-at.ts";

const maxDevices = 10_000;

/** Who holds what, now or at an instant. */
export const whoHolds = defineTool({
  name: "who_holds_gpus",
  title: "Who holds GPUs",
  description:
    "Which namespace, pod and container holds which GPUs: of the whole fleet, a cluster, a host, a GPU or a namespace; now by the newest " +
    "records, or at an instant in the past. Says which devices are free, and of which it is not known.",
  input: {
    ...places,
    namespace: optionalText("Only what this Kubernetes namespace holds"),
    at: time("The instant; the newest records if left out"),
    by: oneOf(
      ["device", "pod", "namespace"],
      "A line for each of these; device if a host or GPU is given, else pod. Not with at",
    ),
    limit: atMost(200, 50),
    cursor: cursorArgument,
  },
  async answer({ at, by, limit = 50, cursor, ...filters }, api) {
    if (at !== undefined) return holdersAt(api, filters, { at, limit, cursor });
    const { devices, total } = await newest(api, filters);
    if (devices.length === 0) return "No device matches.";
    const newestAt = latestOf(devices.map(({ recordAt }) => recordAt));
    const whole =
      total > devices.length
        ? ` Only the newest ${devices.length} of ${total} devices were looked at: narrow by cluster_id, hostname or namespace.`
        : "";
    const group = by ?? (filters.hostname === undefined && filters.gpu_uuid === undefined ? "pod" : "device");
    const lines = group === "device" ? devices.map(deviceLine) : groupLines(devices, group);
    const { part, more } = partOf(lines, { limit, cursor });
    return [
      `${summaryOf(devices)} by their newest records, of ${newestAt} and before.${whole}`,
      ...[...part, ...more],
    ].join("\n");
  },
});

/** The latest of times, of which only some have milliseconds. */
function latestOf(times: readonly string[]): string {
  return times.reduce((latest, time) => (Date.parse(time) > Date.parse(latest) ? time : latest));
}

function summaryOf(devices: readonly Device[]): string {
  const silent = devices.filter(({ isSilent }) => isSilent).length;
  const free = devices.filter((device) => !device.isSilent && isFree(device)).length;
  const held = devices.length - silent - free;
  return `${counted(devices.length, "device")}: ${held} held, ${free} free, ${silent} silent (not known)`;
}

/** The devices that match, each with what its newest record says. */
async function newest(api: GatewayApi, filters: Readonly<Record<string, string>>) {
  const latest = await api.get("/api/v1/telemetry/latest", {
    ...filters,
    metrics: "gpu_utilization",
    limit: maxDevices,
  });
  const known = new Map((await allGpus(api, filters)).map((gpu) => [gpu.uuid, gpu]));
  const devices = latest.data.map((record): Device => {
    const { namespace = "", pod = "", container = "" } = record;
    const one = namespace === "" && pod === "" && container === "" ? [] : [{ namespace, pod, container }];
    const gpu = known.get(record.uuid);
    return {
      ...(gpu === undefined ? noLabels : holderLabelsOf(gpu.properties ?? {})),
      ...{ uuid: record.uuid, clusterId: record.cluster_id, hostname: record.hostname, gpuId: record.gpu_id },
      ...{ recordAt: record.timestamp, utilization: record.gpu_utilization, isSilent: gpu?.status === "silent" },
      holders: record.occupants ?? one,
    };
  });
  return { devices, total: latest.total ?? devices.length };
}

/** Its order is another one than that of the newest records, so that each of them may be in any part. */
async function allGpus(api: GatewayApi, filters: Readonly<Record<string, string>>) {
  const gpus: AnswerOf<"/api/v1/gpus">["data"][number][] = [];
  let cursor: string | undefined;
  do {
    const answer = await api.get("/api/v1/gpus", { ...filters, limit: maxDevices, cursor });
    gpus.push(...answer.data);
    cursor = answer.next_cursor;
  } while (cursor !== undefined);
  return gpus;
}
