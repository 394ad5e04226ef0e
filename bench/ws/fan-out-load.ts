/** What a record of the fan-out has: the usual metrics of a GPU. */
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

/** What a subscriber of the fan-out asks for, as in the README. */
const asked = ["gpu_utilization", "temperature", "power_draw"] as const;

/** A GPU's uuid, as long as a real one. */
export function gpuUuid(index: number): string {
  return `GPU-75ca836f-12a0-9fbe-13a2-${String(index).padStart(12, "0")}`;
}

/** Whole seconds: every text is as long as the other. */
export function timeOf(second: number): number {
  return Date.UTC(2025, 0, 1) + second * 1000;
}

/** What a subscriber of a GPU sends. */
export function subscriptionTo(uuid: string): string {
  return JSON.stringify({ type: "subscribe", topic: "telemetry", filters: { gpu_uuid: uuid, metrics: asked } });
}

/** What it gets. */
export function textOf(uuid: string, second: number): string {
  const timestamp = new Date(timeOf(second)).toISOString().replace(".000Z", "Z");
  const data = Object.fromEntries(asked.map((name) => [name, values[name]]));
  return JSON.stringify({ type: "telemetry_update", timestamp, gpu_uuid: uuid, data });
}
