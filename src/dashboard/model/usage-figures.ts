import { quantityText } from "./format.ts";

/** What usage is summed up by, with the names of the rows. */
export const usageGroups = {
  namespace: "Namespaces",
  pod: "Pods",
  job: "Jobs",
  user: "Users",
} as const;
export type UsageGroup = keyof typeof usageGroups;

/** What a group has used, as the API has it. */
export interface UsageRow {
  readonly namespace?: string;
  readonly pod?: string;
  readonly job?: string;
  readonly user?: string;
  readonly devices: number;
  readonly allocated_seconds: number;
  readonly unallocated_seconds: number;
  readonly unknown_seconds: number;
  readonly active_seconds: number;
  readonly idle_seconds: number;
  readonly effective_seconds: number;
  readonly energy_kwh: number;
  readonly idle_energy_kwh: number;
  readonly cost?: number;
  readonly idle_cost?: number;
  readonly currency?: string;
  readonly effective_by: string;
  readonly energy_by: string;
}

/** The figures of a row, by their names in the page's URL. Times are in hours of whole GPUs. */
export const figureKeys = [
  "devices",
  "allocated",
  "active",
  "effective",
  "idle",
  "idle_energy",
  "idle_cost",
  "energy",
  "cost",
] as const;
export type FigureKey = (typeof figureKeys)[number];

/** The order of the table of usage. */
export interface UsageSort {
  readonly key: "name" | FigureKey;
  readonly isDescending: boolean;
}

const secondsPerHour = 3600;

/** A figure of a row.
 *  @returns NaN: it was not measured, or has no price */
export function figureOf(row: UsageRow, key: FigureKey): number {
  switch (key) {
    case "devices":
      return row.devices;
    case "allocated":
      return row.allocated_seconds / secondsPerHour;
    case "active":
      return measuredHours(row, row.active_seconds);
    case "idle":
      return measuredHours(row, row.idle_seconds);
    case "effective":
      return row.effective_by === "none" ? NaN : row.effective_seconds / secondsPerHour;
    case "energy":
      return row.energy_by === "none" ? NaN : row.energy_kwh;
    case "idle_energy":
      return row.energy_by === "none" ? NaN : row.idle_energy_kwh;
    case "cost":
      return row.cost ?? NaN;
    case "idle_cost":
      return row.idle_cost ?? NaN;
  }
}

/** Time is neither active nor idle while nothing says how much the GPU was used. */
function measuredHours({ active_seconds: active, idle_seconds: idle }: UsageRow, seconds: number): number {
  return active + idle === 0 ? NaN : seconds / secondsPerHour;
}

/** The rows of those who held GPUs. The time that no one held is in a row without a name, or in none. */
export const heldRows = (rows: readonly UsageRow[]): UsageRow[] =>
  rows.filter(({ allocated_seconds: seconds }) => seconds > 0);

/** The sum of a figure over all rows that have it. Costs are known only if each row has a price.
 *  @returns NaN: not known */
export function figureSum(rows: readonly UsageRow[], key: Exclude<FigureKey, "devices">): number {
  const figures = rows.map((row) => figureOf(row, key));
  const known = figures.filter((figure) => !Number.isNaN(figure));
  const isPart = known.length < figures.length && (key === "cost" || key === "idle_cost");
  return known.length === 0 || isPart ? NaN : known.reduce((sum, figure) => sum + figure, 0);
}

/** The name of a row; empty if what it is summed up by is not known. */
export function usageNameOf({ namespace = "", pod = "", job = "", user = "" }: UsageRow, by: UsageGroup): string {
  if (by === "pod") return pod === "" ? namespace : `${namespace}/${pod}`;
  return { namespace, job, user }[by];
}

/** The rows in the order of the table. Unknown figures and names come last in both directions. */
export function inUsageOrder(rows: readonly UsageRow[], by: UsageGroup, { key, isDescending }: UsageSort): UsageRow[] {
  const sign = isDescending ? -1 : 1;
  if (key === "name") {
    return rows.toSorted((a, b) => {
      const [left, right] = [usageNameOf(a, by), usageNameOf(b, by)];
      if (left === "" || right === "") return Number(left === "") - Number(right === "");
      return left === right ? 0 : left < right ? -sign : sign;
    });
  }
  return rows.toSorted((a, b) => {
    const [left, right] = [figureOf(a, key), figureOf(b, key)];
    if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
    return (left - right) * sign;
  });
}

/** How the time of all GPUs is divided, in hours. */
export interface TimeSplit {
  readonly allocated: number;
  readonly unallocated: number;
  readonly unknown: number;
  /** The sum of the three, to the hundredth. */
  readonly all: number;
}

/** Divides the time of all GPUs, in hundredths of an hour, so that the shown parts add up to the shown sum. */
export function timeSplitOf(rows: readonly UsageRow[]): TimeSplit {
  const hundredths = (field: "allocated_seconds" | "unallocated_seconds" | "unknown_seconds"): number =>
    Math.round((rows.reduce((sum, row) => sum + row[field], 0) * 100) / secondsPerHour);
  const parts = [hundredths("allocated_seconds"), hundredths("unallocated_seconds"), hundredths("unknown_seconds")];
  const [allocated = 0, unallocated = 0, unknown = 0] = parts.map((part) => part / 100);
  return { allocated, unallocated, unknown, all: parts.reduce((sum, part) => sum + part, 0) / 100 };
}

/** The time of all GPUs in hours, not rounded: what shares are shares of. */
export const allHours = (rows: readonly UsageRow[]): number =>
  rows.reduce((sum, row) => sum + row.allocated_seconds + row.unallocated_seconds + row.unknown_seconds, 0) /
  secondsPerHour;

/** What a part is of a whole, such as 12.5 %. */
export function partText(part: number, whole: number): string {
  if (Number.isNaN(part) || whole === 0) return "";
  return `${Math.round((1000 * part) / whole) / 10} %`;
}

const measures: Readonly<Partial<Record<string, string>>> = { tensor: "tensor", sm: "SM", mixed: "tensor or SM" };

/** The activity that the effective time of some rows was measured by; empty if none was. */
export function measureOf(rows: readonly Pick<UsageRow, "effective_by">[]): string {
  const [first = "none", ...others] = new Set(rows.map(({ effective_by: by }) => by).filter((by) => by !== "none"));
  return measures[others.length === 0 ? first : "mixed"] ?? "";
}

/** A figure with its unit. */
export function figureText(row: UsageRow, key: FigureKey): string {
  const figure = figureOf(row, key);
  if (key === "cost" || key === "idle_cost") return costText(figure, row.currency);
  if (Number.isNaN(figure)) return "not measured";
  if (key === "devices") return String(figure);
  const text = amountText(figure, key);
  return key === "effective" ? `${text} (${measureOf([row])})` : text;
}

/** The sum of a figure over some rows, with its unit. */
export function sumText(rows: readonly UsageRow[], key: Exclude<FigureKey, "devices">): string {
  const sum = figureSum(rows, key);
  if (key === "cost" || key === "idle_cost") return costText(sum, rows.find(({ currency }) => currency)?.currency);
  return Number.isNaN(sum) ? "not measured" : amountText(sum, key);
}

/** Hours or energy. A little is not 0. */
function amountText(amount: number, key: FigureKey): string {
  const unit = key === "energy" || key === "idle_energy" ? "kWh" : "h";
  return amount > 0 && amount < 0.005 ? `< 0.01 ${unit}` : quantityText(amount, unit);
}

const costText = (cost: number, currency = ""): string =>
  Number.isNaN(cost) ? "no price" : `${cost.toFixed(2)} ${currency}`.trim();
