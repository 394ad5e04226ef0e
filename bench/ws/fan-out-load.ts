/** The values of each record in the fan-out bench. */
export const values = {
  gpu_utilization: 85.5,
  memory_utilization: 78.2,
  memory_used_mb: 62560,
  memory_free_mb: 17920,
  temperature: 72.3,
  power_draw: 320.1,
  sm_clock_mhz: 1980,
  memory_clock_mhz: 2619,
};

/** The metrics that a subscriber selects, as in the example of docs/websocket.md. */
const selectedMetrics = ["gpu_utilization", "temperature", "power_draw"] as const;

/** The uuid of the GPU with this index. It has the length of a real uuid. */
export function gpuUuid(index: number): string {
  return `GPU-75ca836f-12a0-9fbe-13a2-${String(index).padStart(12, "0")}`;
}

/** The instant of a record, in ms. It is always a whole second, so that all messages have the same length. */
export function timeOf(second: number): number {
  return Date.UTC(2025, 0, 1) + second * 1000;
}

/** The subscription request for one GPU. */
export function subscriptionTo(uuid: string): string {
  return JSON.stringify({
    type: "subscribe",
    topic: "telemetry",
    filters: { gpu_uuid: uuid, metrics: selectedMetrics },
  });
}

/** The message that a subscriber to a GPU receives for the GPU's record at `second`. */
export function textOf(uuid: string, second: number): string {
  const timestamp = new Date(timeOf(second)).toISOString().replace(".000Z", "Z");
  const data = Object.fromEntries(selectedMetrics.map((name) => [name, values[name]]));
  return JSON.stringify({ type: "telemetry_update", timestamp, gpu_uuid: uuid, data });
}
