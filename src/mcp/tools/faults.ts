import type { AnswerOf } from "../gateway-api.ts";
import { atMost, cursor as cursorArgument, optionalText, places, time } from "../parameters.ts";
import { continuation, counted, holdersText, noticeLine, shown, timeWithAge } from "../text.ts";
import { defineTool } from "../tool.ts";

type Fault = AnswerOf<"/api/v1/faults">["data"][number];

/** What is broken, and what to do. */
export const faults = defineTool({
  name: "faults",
  title: "Faults, and what to do about them",
  description:
    "What is broken, the newest beginning first: severity, place, why it is said, since when, who held the device, and what to do. " +
    "Without state and times, what has not ended.",
  input: {
    ...places,
    severity: optionalText("Only these severities: some of info, warning, critical, separated by commas"),
    state: optionalText(
      "Only in these states: some of pending, firing, acknowledged, resolved, suppressed, separated by commas",
    ),
    name: optionalText("Only faults of this name, such as gpu.temperature.high"),
    namespace: optionalText("Only if a workload of this Kubernetes namespace held the device at the beginning"),
    start_time: time("Only faults that had not ended before"),
    end_time: time("Only faults that had begun by then"),
    limit: atMost(100, 20),
    cursor: cursorArgument,
  },
  async answer({ limit = 20, cursor, ...filters }, api) {
    const answer = await api.get("/api/v1/faults", { ...filters, limit, cursor });
    const { data } = answer;
    if (data.length === 0) return ["No fault matches.", ...noticeLine(answer)].join("\n");
    const count = counted(data.length, "fault");
    const place = cursor === undefined ? "the newest; there are more" : "those after the ones before";
    const head = cursor === undefined && answer.next_cursor === undefined ? count : `${count}, ${place}`;
    return [head, ...data.flatMap(faultLines), ...noticeLine(answer), ...continuation(answer.next_cursor)].join("\n");
  },
});

function faultLines(fault: Fault): string[] {
  const { cluster_id: cluster, hostname, uuid, job } = fault;
  const place = [cluster, hostname, uuid, job === undefined ? undefined : `job ${job}`];
  const where = place.flatMap((part) => (part === undefined ? [] : [shown(part)])).join(" ");
  const ended = fault.ended_at === undefined ? "" : `, ended ${fault.ended_at}`;
  const holders = holdersText(fault.holders);
  return [
    `- ${fault.severity}, ${fault.state}${fault.silenced ? ", silenced" : ""}: ${shown(fault.summary)} (${shown(fault.name)})`,
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
