import { answerOf } from "gpu-telemetry-client";
import { rangeOf, type TimeOptions } from "./history.ts";
import { printNarrow } from "./narrow-table.ts";
import { cellOf, occupantsText, type Output } from "./output.ts";
import { readTime } from "../../src/routes/http/parameters/relative-time.ts";
import { print } from "../../src/terminal/print.ts";

interface ChangesOptions extends TimeOptions {
  readonly gpu: string;
}

/** An instant, and the fields that changed then. */
type Change = Readonly<Record<"from" | "change", string>>;

type Fields = Readonly<Record<string, string>>;

/** Shows what a GPU was at the start of a range of time, and what changed in the range, oldest first.
 *  @throws GatewayError if the GPU does not exist; GatewayUnreachable */
export async function changes(output: Output, { gpu, ...times }: ChangesOptions): Promise<void> {
  const params = { path: { uuid: gpu }, query: rangeOf(times) };
  const { data } = await answerOf(output.gateway.GET("/api/v1/gpus/{uuid}/changes", { params }));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const attributes = data.attributes.map(({ properties, ...fields }) => ({ ...prefixed(properties), ...fields }));
  const workloads = data.workloads.map(({ from, occupants, ...first }) => ({
    from,
    workload: occupantsText(occupants ?? [first]) || "none",
  }));
  const startMs = startOf(times);
  const rows = [...differences(attributes), ...differences(workloads)]
    .sort((a, b) => Date.parse(a.from) - Date.parse(b.from))
    .map(({ from, change }) => ({
      from,
      change: Date.parse(from) <= startMs ? `state at --start: ${change}` : change,
    }));
  printNarrow(rows, [{ name: "from" }, { name: "change", wraps: true }]);
  print(`${rows.length} ${rows.length === 1 ? "row" : "rows"}`);
}

/** @returns -Infinity without a start: the first state is then the first that is known */
function startOf({ start }: TimeOptions): number {
  const read = start === undefined ? undefined : readTime(start);
  return read === undefined || "problem" in read ? -Infinity : read.ms;
}

/** Labels under names that no attribute has. */
function prefixed(properties: Fields): Fields {
  return Object.fromEntries(Object.entries(properties).map(([name, value]) => [`properties.${name}`, value]));
}

/** Each state as the fields in which it differs from the one before; the first one with all fields. */
function differences(states: readonly (Fields & { readonly from: string })[]): Change[] {
  return states.map((state, index) => {
    const before: Fields = states[index - 1] ?? {};
    const names = new Set([...Object.keys(before), ...Object.keys(state)]);
    names.delete("from");
    const changed = [...names].filter((name) => (before[name] ?? "") !== (state[name] ?? ""));
    return { from: state.from, change: changed.map((name) => `${cellOf(name)}=${cellOf(state[name])}`).join(", ") };
  });
}
