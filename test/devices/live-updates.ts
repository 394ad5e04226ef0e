import { keyOf } from "./independent-reading.ts";
import type { Json } from "./every-output.ts";

/** Fields that say where an update comes from. */
const marks = new Set(["snapshot", "replay"]);

/** Subscribes at /ws and reads updates until `isLast` is true for a message.
 *  @param request fields of the message `subscribe`
 *  @param isLast gets each message and the number of updates so far
 *  @returns the updates, without `marks` */
export function readUpdates(
  url: string,
  request: Json,
  isLast: (message: Json, updates: number) => boolean,
): Promise<Json[]> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`);
  const updates: Json[] = [];
  return new Promise<Json[]>((resolve, reject) => {
    socket.onopen = () => void socket.send(JSON.stringify({ type: "subscribe", ...request }));
    socket.onclose = ({ code, reason }) => reject(new Error(`closed with ${code} ${reason}`));
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data as string) as Json;
      const update = Object.entries(message).filter(([name]) => !marks.has(name));
      if (message["type"] === "telemetry_update") updates.push(Object.fromEntries(update));
      else if (message["type"] === "error") reject(new Error(String(data)));
      if (isLast(message, updates.length)) resolve(updates);
    };
  }).finally(() => socket.close());
}

/** Fields of a record that an update does not have, or has beside its data. */
const notInData = new Set([
  ...["telemetry_id", "timestamp", "gpu_id", "uuid", "device", "model_name", "hostname", "cluster_id"],
  ...["parent_uuid", "mig_instance_id", "mig_profile", "container", "pod", "namespace", "occupants"],
]);
const besideData = ["timestamp", "parent_uuid", "mig_instance_id", "mig_profile", "occupants"];

/** The update of /ws that has the values of a record. */
export function updateOf(record: Json): Json {
  const entries = Object.entries(record);
  return {
    type: "telemetry_update",
    gpu_uuid: record["uuid"],
    ...Object.fromEntries(entries.filter(([name]) => besideData.includes(name))),
    data: Object.fromEntries(entries.filter(([name]) => !notInData.has(name))),
  };
}

/** The key of an update, which is that of its record. */
export const updateKey = ({ gpu_uuid: uuid, timestamp }: Json): string => keyOf({ uuid, timestamp });
