import type { AnswerOf } from "../gateway-api.ts";
import { counted, figure, shown, timeWithAge } from "../text.ts";
import { defineTool } from "../tool.ts";

const maxTargets = 20;
const maxProcesses = 50;

/** How the pipeline itself does. */
export const pipelineHealth = defineTool({
  name: "pipeline_health",
  title: "Health of the pipeline",
  description:
    "Whether the telemetry pipeline works: the parts of the gateway that answers, the queue, dead letters and rejected inputs, the " +
    "running processes, and exporters that do not answer. It needs a key without a selector.",
  input: {},
  async answer(_, api) {
    const health = await api.get("/health");
    const { data: pipeline } = await api.get("/api/v1/pipeline");
    const { data: services } = await api.get("/api/v1/services");
    const down = await api.get("/api/v1/targets", { state: "down", limit: maxTargets });
    return [
      `This gateway: ${health.status}, version ${health.version}, up for ${figure(health.uptime_seconds / 3600)} hours`,
      ...partLines(health),
      ...pipelineLines(pipeline),
      ...serviceLines(services),
      ...targetLines(down),
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

function serviceLines(services: AnswerOf<"/api/v1/services">["data"]): string[] {
  const lines = services.slice(0, maxProcesses).map(({ name, roles, state, health, errors, load }) => {
    const rate = load.samples_per_second === undefined ? "" : `, ${figure(load.samples_per_second)} samples/s`;
    return `  ${shown(name)} (${roles.join(", ")}): ${state}, ${health}${rate}${errors.map((error) => `; ${shown(error)}`).join("")}`;
  });
  return [
    `${counted(services.length, "running process", "running processes")}${services.length > maxProcesses ? `; the first ${maxProcesses}` : ""}`,
    ...lines,
  ];
}

function targetLines({ data, next_cursor: next }: AnswerOf<"/api/v1/targets">): string[] {
  if (data.length === 0) return ["No live source is down."];
  const lines = data.map(
    ({ target, since, last_error: error }) =>
      `  ${shown(target)}: down since ${timeWithAge(since)}${error === undefined ? "" : `, ${shown(JSON.stringify(error))}`}`,
  );
  const head = next === undefined ? counted(data.length, "live source") : `More than ${data.length} live sources`;
  return [`${head} down:`, ...lines];
}
