import type { AnswerOf } from "../gateway-api.ts";
import { atMost, cursor as cursorArgument } from "../parameters.ts";
import { partOf } from "../part-of.ts";
import { counted, figure, shown, timeWithAge } from "../text.ts";
import { defineTool } from "../tool.ts";

/** How the pipeline itself does. */
export const pipelineHealth = defineTool({
  name: "pipeline_health",
  title: "Health of the pipeline",
  description:
    "Whether the telemetry pipeline works: the parts of the gateway that answers, the queue, dead letters and rejected inputs, the " +
    "running processes, and exporters that do not answer. It needs a key without a selector.",
  input: { limit: atMost(200, 50), cursor: cursorArgument },
  async answer({ limit = 50, cursor }, api) {
    const health = await api.get("/health");
    const { data: pipeline } = await api.get("/api/v1/pipeline");
    const { data: services } = await api.get("/api/v1/services");
    const down = await api.get("/api/v1/targets", { state: "down", limit: 10_000 });
    const { part, more } = partOf([...serviceLines(services), ...targetLines(down)], { limit, cursor });
    return [
      `This gateway: ${health.status}, version ${health.version}, up for ${figure(health.uptime_seconds / 3600)} hours`,
      ...partLines(health),
      ...pipelineLines(pipeline),
      `${counted(services.length, "running process", "running processes")}, and ${downText(down)}:`,
      ...[...part, ...more],
    ].join("\n");
  },
});

function partLines({ components }: AnswerOf<"/health">): string[] {
  return Object.entries(components).map(([name, { status, reason, activity }]) => {
    const more = reason ?? activity;
    return `  ${name}: ${status}${more === undefined ? "" : ` (${shown(more)})`}`;
  });
}

function pipelineLines({ queue, rejected, conflicts, settling }: AnswerOf<"/api/v1/pipeline">["data"]): string[] {
  const reasons = Object.entries(rejected).map(([reason, count]) => `${count} ${reason}`);
  return [
    `Queue: ${queue.depth} of ${queue.capacity} messages, ${queue.in_flight} in work, the oldest waits ${figure(queue.lag_seconds)} s; ` +
      counted(queue.dead, "dead letter"),
    `Rejected inputs: ${reasons.length === 0 ? "none" : reasons.join(", ")}`,
    ...(conflicts === undefined ? [] : [`Conflicting values: ${conflicts}`]),
    `History that waits to be settled: ${counted(settling.due_hours, "hour")}, for ${figure(settling.lag_seconds)} s`,
  ];
}

/** Processes, those with errors first. */
function serviceLines(services: AnswerOf<"/api/v1/services">["data"]): string[] {
  const inOrder = services.toSorted((a, b) => Number(a.health === "ok") - Number(b.health === "ok"));
  return inOrder.map(({ name, roles, state, health, errors, load }) => {
    const rate = load.samples_per_second === undefined ? "" : `, ${figure(load.samples_per_second)} samples/s`;
    return `  ${shown(name)} (${roles.join(", ")}): ${state}, ${health}${rate}${errors.map((error) => `; ${shown(error)}`).join("")}`;
  });
}

function downText({ data, total = data.length }: AnswerOf<"/api/v1/targets">): string {
  return total === 0 ? "no live source is down" : `${counted(total, "live source")} down`;
}

function targetLines({ data }: AnswerOf<"/api/v1/targets">): string[] {
  return data.map(
    ({ target, since, last_error: error }) =>
      `  ${shown(target)}: down since ${timeWithAge(since)}${error === undefined ? "" : `, ${shown(JSON.stringify(error))}`}`,
  );
}
