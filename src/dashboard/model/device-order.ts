import { holderText } from "./device.ts";
import type { FleetData } from "./fleet-data.ts";
import { metricKeys, type MetricKey } from "./metric.ts";
import type { Sort, SortKey } from "./view-state.ts";

const isMetric = (key: SortKey): key is MetricKey => (metricKeys as readonly string[]).includes(key);

/** The devices of a view in the order of the table. Devices without a value come last in both directions, and equal ones are in the
 *  order of the list, which is by host and index.
 *  @param view positions in ascending order */
export function inOrder(data: FleetData, view: Int32Array, { key, isDescending }: Sort): Int32Array {
  if (key === "host") return isDescending ? view.toReversed() : view;
  const sign = isDescending ? -1 : 1;
  if (key === "model" || key === "holder") {
    const texts = textsOf(data, view, key);
    const compare = (a: string, b: string): number => (a === b ? 0 : a < b ? -sign : sign);
    return sorted(view, (a, b) => {
      const [left = "", right = ""] = [texts.get(a), texts.get(b)];
      if (left === "" || right === "") return Number(left === "") - Number(right === "");
      return compare(left, right);
    });
  }
  const numbers = numbersOf(data, view, key);
  return sorted(view, (a, b) => {
    const [left = NaN, right = NaN] = [numbers[a], numbers[b]];
    if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
    return (left - right) * sign;
  });
}

/** The sort of typed arrays is stable. */
function sorted(view: Int32Array, compare: (a: number, b: number) => number): Int32Array {
  return view.toSorted((a, b) => compare(a, b));
}

function textsOf(data: FleetData, view: Int32Array, key: "model" | "holder"): ReadonlyMap<number, string> {
  const textOf = (position: number): string =>
    key === "model" ? (data.devices[position]?.model ?? "") : holderText(data.holders[position] ?? []);
  return new Map(Array.from(view, (position) => [position, textOf(position)]));
}

function numbersOf(data: FleetData, view: Int32Array, key: Exclude<SortKey, "host" | "model" | "holder">) {
  const numbers = new Float64Array(data.size);
  for (const position of view) numbers[position] = numberOf(data, position, key);
  return numbers;
}

function numberOf(data: FleetData, position: number, key: "index" | "age" | MetricKey): number {
  if (isMetric(key)) return data.value(key, position);
  if (key === "index") return Number(data.devices[position]?.index ?? NaN);
  const timeMs = data.timesMs[position] ?? -Infinity;
  // the younger a record, the later its instant
  return timeMs === -Infinity ? NaN : -timeMs;
}
