/** The metrics that the heat map can show, by their names in the page's URL. */
export const metricKeys = ["gpu_utilization", "memory_used", "temperature", "power_draw"] as const;
export type MetricKey = (typeof metricKeys)[number];

/** How a metric is shown. */
export interface MetricFacts {
  readonly label: string;
  readonly unit: string;
  /** The value of the first colour of the scale. */
  readonly lowest: number;
  /** The value of the last colour; undefined: the highest one of the fleet, rounded up. */
  readonly highest: number | undefined;
}

export const metricFacts: Readonly<Record<MetricKey, MetricFacts>> = {
  gpu_utilization: { label: "Utilization", unit: "%", lowest: 0, highest: 100 },
  memory_used: { label: "Memory", unit: "%", lowest: 0, highest: 100 },
  // below 20 °C no GPU runs, and above 95 °C every model slows down
  temperature: { label: "Temperature", unit: "°C", lowest: 20, highest: 95 },
  power_draw: { label: "Power", unit: "W", lowest: 0, highest: undefined },
};

/** The fields of records that the page needs, as the API names them. */
export const recordFields = [
  "gpu_utilization",
  "gr_engine_active",
  "memory_used_mb",
  "memory_free_mb",
  "temperature",
  "power_draw",
] as const;
export type RecordField = (typeof recordFields)[number];
