import type { AnswerOf, GatewayApi } from "../gateway-api.ts";
import { atMost, cursor as cursorArgument, optionalText, places, time } from "../parameters.ts";
import { continuation, counted, holdersText, noticeLine, shown, timeWithAge } from "../text.ts";
import { defineTool, WrongArgument } from "../tool.ts";

type Answer = AnswerOf<"/api/v1/faults">;
type Fault = Answer["data"][number];

/** The worst first. */
const severities = ["critical", "warning", "info"] as const;
/** Of a time, also those that have ended. A pending one is told only if it is asked for. */
const [statesOfNow, statesOfTime] = ["firing", "firing,acknowledged,resolved,suppressed"];

/** What is broken, and what to do. */
export const faults = defineTool({
  name: "faults",
  title: "Faults, and what to do about them",
  description:
    "What is broken, the worst first, and then the newest beginning: severity, place, why it is said, since when, who held the device, " +
    "and what to do. Without state and times, what fires. What is only pending is not broken.",
  input: {
    ...places,
    severity: optionalText("Only these severities: some of info, warning, critical, separated by commas"),
    state: optionalText(
      "Only in these states: some of firing, acknowledged (an operator has seen it), resolved, suppressed (under maintenance), and pending " +
        "(its condition has not lasted for as long as the rule wants, and often it never does), separated by commas. If left out: " +
        "firing; with times, all but pending",
    ),
    name: optionalText("Only faults of this name, such as gpu.temperature.high"),
    namespace: optionalText("Only if a workload of this Kubernetes namespace held the device at the beginning"),
    start_time: time("Only faults that had not ended before"),
    end_time: time("Only faults that had begun by then"),
    limit: atMost(100, 20),
    cursor: cursorArgument,
  },
  async answer({ limit = 20, cursor, ...filters }, api) {
    const isOfTime = filters.start_time !== undefined || filters.end_time !== undefined;
    const { state = isOfTime ? statesOfTime : statesOfNow } = filters;
    const { data, next, notice } = await worstFirst({ ...filters, state }, { limit, cursor }, api);
    const told = noticeLine({ notice });
    if (data.length === 0) return [noneText(filters.state, isOfTime), ...told].join("\n");
    const count = counted(data.length, "fault");
    const place = cursor === undefined ? "the worst; there are more" : "those after the ones before";
    const head = cursor === undefined && next === undefined ? count : `${count}, ${place}`;
    return [head, ...data.flatMap(faultLines), ...told, ...continuation(next)].join("\n");
  },
});

function noneText(state: string | undefined, isOfTime: boolean): string {
  return state === undefined && !isOfTime ? "No fault that fires matches." : "No fault matches.";
}

interface Page {
  readonly data: readonly Fault[];
  /** Goes on after the last of them; undefined: none follow. */
  readonly next: string | undefined;
  readonly notice: string | undefined;
}

/** Reads faults of one severity after the other: the API has them by their beginning. A cursor is the severity, and the API's cursor in it.
 *  @throws WrongArgument, ApiRefusal */
async function worstFirst(
  { severity, ...filters }: Readonly<Record<string, string | undefined>>,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | undefined },
  api: GatewayApi,
): Promise<Page> {
  const asked = severity?.split(",").map((name) => name.trim());
  const unknown = asked?.find((name) => !(severities as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new WrongArgument(`There is no severity ${JSON.stringify(unknown)}; there are ${severities.join(", ")}`);
  const wanted = severities.filter((name) => asked?.includes(name) ?? true);
  const [from, inFirst] = cursor === undefined ? [wanted[0], undefined] : placeIn(cursor);
  const data: Fault[] = [];
  let notice: string | undefined;
  for (const each of wanted) {
    if (from !== undefined && severities.indexOf(each) < severities.indexOf(from)) continue;
    const left = limit - data.length;
    // with no room left, it is only asked whether there are any
    const after = each === from ? inFirst : undefined;
    const answer = await api.get("/api/v1/faults", {
      ...filters,
      severity: each,
      limit: Math.max(left, 1),
      cursor: after,
    });
    notice ??= answer.notice;
    if (left === 0 && answer.data.length > 0) return { data, next: each, notice };
    if (left === 0) continue;
    data.push(...answer.data);
    if (answer.next_cursor !== undefined) return { data, next: `${each}.${answer.next_cursor}`, notice };
  }
  return { data, next: undefined, notice };
}

/** The severity and the API's cursor; that is undefined at the beginning of the severity. @throws WrongArgument */
function placeIn(cursor: string): readonly [severity: (typeof severities)[number], inSeverity: string | undefined] {
  const [, name, inSeverity] = /^([a-z]+)(?:\.(.+))?$/.exec(cursor) ?? [];
  const severity = severities.find((each) => each === name);
  if (severity === undefined) throw new WrongArgument("The cursor is none that an answer of this tool gave");
  return [severity, inSeverity];
}

const stateText = (state: Fault["state"]): string =>
  state === "pending" ? "pending (no fault yet: the condition has not lasted for as long as the rule wants)" : state;

function faultLines(fault: Fault): string[] {
  const { cluster_id: cluster, hostname, uuid, job } = fault;
  const place = [cluster, hostname, uuid, job === undefined ? undefined : `job ${job}`];
  const where = place.flatMap((part) => (part === undefined ? [] : [shown(part)])).join(" ");
  const ended = fault.ended_at === undefined ? "" : `, ended ${fault.ended_at}`;
  const holders = holdersText(fault.holders);
  return [
    `- ${fault.severity}, ${stateText(fault.state)}${fault.silenced ? ", silenced" : ""}: ${shown(fault.summary)} (${shown(fault.name)})`,
    `  where: ${where}`,
    `  since: ${timeWithAge(fault.started_at)}${ended}`,
    `  why: ${shown(fault.why)}`,
    `  what to do: ${shown(fault.action)} See ${shown(fault.runbook)}`,
    `  held at the beginning by: ${holders === "" ? "nothing that is known" : holders}`,
    ...(fault.acknowledged_by === undefined
      ? []
      : [`  acknowledged by ${shown(fault.acknowledged_by)}: ${shown(fault.comment ?? "")}`]),
    `  id: ${shown(fault.id)}`,
  ];
}
