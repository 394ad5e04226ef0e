/** The ranges that end now, by their names in the URL, in milliseconds. */
export const rangeMs = {
  "15m": 900_000,
  "1h": 3_600_000,
  "6h": 21_600_000,
  "1d": 86_400_000,
  "7d": 604_800_000,
  "30d": 2_592_000_000,
} as const;

/** A range that ends now. */
export type RangeName = keyof typeof rangeMs;

export const rangeTexts: Readonly<Record<RangeName, string>> = {
  "15m": "15 min",
  "1h": "1 h",
  "6h": "6 h",
  "1d": "1 d",
  "7d": "7 d",
  "30d": "30 d",
};

export const rangeNames = Object.keys(rangeMs) as RangeName[];

/** An interval of time. */
export interface TimeWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What a person has chosen to see: a range that moves on with time, or a window that stays. */
export type TimeChoice = RangeName | TimeWindow;

export const isMoving = (choice: TimeChoice): choice is RangeName => typeof choice === "string";

/** The window of a choice at an instant. */
export function windowOf(choice: TimeChoice, nowMs: number): TimeWindow {
  return isMoving(choice) ? { fromMs: nowMs - rangeMs[choice], toMs: nowMs } : choice;
}

/** What a person has chosen on a page of one GPU. */
export interface GpuState {
  readonly uuid: string;
  readonly time: TimeChoice;
  readonly metrics: readonly string[];
}

/** The charts of a page that is opened without a choice. */
const defaultMetrics = ["gpu_utilization", "memory_used_mb", "power_draw", "temperature"];
const defaultRange: RangeName = "1h";

/** Reads the query of the URL of a GPU's page. A value that means nothing here counts as absent. */
export function gpuStateOf(query: string): GpuState {
  const given = new URLSearchParams(query);
  const metrics = (given.get("metrics") ?? "").split(",").filter((name) => /^[a-z0-9_]+$/.test(name));
  return {
    uuid: given.get("uuid") ?? "",
    time: timeIn(given, rangeNames, defaultRange),
    metrics: metrics.length === 0 ? defaultMetrics : [...new Set(metrics)],
  };
}

/** The query of the URL for a state. */
export function gpuQueryOf({ uuid, time, metrics }: GpuState): string {
  const query = new URLSearchParams({ uuid });
  addTime(query, time, defaultRange);
  if (metrics.join() !== defaultMetrics.join()) query.set("metrics", metrics.join(","));
  return `?${query.toString()}`;
}

/** The time that a URL has: one of some ranges, or a window.
 *  @param byDefault the range of a URL without a time */
export function timeIn(given: URLSearchParams, ranges: readonly RangeName[], byDefault: RangeName): TimeChoice {
  const [fromMs, toMs] = [Date.parse(given.get("from") ?? ""), Date.parse(given.get("to") ?? "")];
  if (fromMs < toMs) return { fromMs, toMs };
  return ranges.find((each) => each === given.get("range")) ?? byDefault;
}

/** Adds a time to the query of a URL, unless it is the range of a URL without one. */
export function addTime(query: URLSearchParams, time: TimeChoice, byDefault: RangeName): void {
  if (isMoving(time)) {
    if (time !== byDefault) query.set("range", time);
  } else {
    query.set("from", new Date(time.fromMs).toISOString());
    query.set("to", new Date(time.toMs).toISOString());
  }
}
