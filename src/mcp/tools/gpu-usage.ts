import type { AnswerOf } from "../gateway-api.ts";
import { atMost, cursor, oneOf, optionalText, places, time } from "../parameters.ts";
import { continuation, counted, figure, shown } from "../text.ts";
import { defineTool } from "../tool.ts";

type Row = AnswerOf<"/api/v1/usage">["data"][number];

const groups = [
  ...(["namespace", "pod", "container", "job", "user"] as const),
  ...(["host", "model", "cluster", "device", "total"] as const),
];

/** Who used GPUs, and how well. */
export const gpuUsage = defineTool({
  name: "gpu_usage",
  title: "GPU usage over time",
  description:
    "GPU-hours by namespace, pod, job, user, host or another group over a range of whole hours: held, active, idle, effective, free and " +
    "unknown, with energy and, if prices are set, cost. Unknown hours are those of which no record says anything.",
  input: {
    group_by: oneOf(groups, "A row for each of these; namespace if left out"),
    step: oneOf(["hour", "day", "total"], "Rows by hour or day (UTC), or for the whole range; total if left out"),
    ...places,
    ...{ namespace: optionalText("Only what this Kubernetes namespace held"), pod: optionalText("Only this pod") },
    ...{ job: optionalText("Only this job of a batch system"), user: optionalText("Only this user") },
    start_time: time("From the hour that has it; by default a day before the end"),
    end_time: time("Up to the hour that has it; by default now"),
    limit: atMost(200, 50),
    cursor,
  },
  async answer({ limit = 50, group_by = "namespace", step = "total", ...filters }, api) {
    const answer = await api.get("/api/v1/usage", { ...filters, group_by, step, limit });
    const total = answer.total ?? answer.data.length;
    const of = total > answer.data.length ? `; these are ${answer.data.length} of ${total} rows` : "";
    const head = `Usage by ${group_by}, from ${answer.start_time} to ${answer.end_time}, in hours of whole GPUs${of}`;
    const rows = answer.data.map((row) => rowLine(row, step === "total" ? "" : `${row.timestamp} `));
    return [head, ...(rows.length === 0 ? ["Nothing was recorded."] : rows), ...continuation(answer.next_cursor)].join(
      "\n",
    );
  },
});

/** The names of a row's group: an empty namespace, job or user stands for time that none held. */
function groupOf(row: Row): string {
  const names = [
    row.cluster_id,
    row.hostname,
    row.uuid,
    row.model_name,
    row.namespace,
    row.pod,
    row.container,
    row.job,
    row.user,
  ];
  const given = names.flatMap((name) => (name === undefined ? [] : [name === "" ? "(none)" : shown(name)]));
  return given.length === 0 ? "all" : given.join("/");
}

const hours = (seconds: number): string => figure(seconds / 3600);

function rowLine(row: Row, prefix: string): string {
  const isHeld = row.allocated_seconds > 0;
  const parts = [
    isHeld ? heldText(row) : "held 0",
    `free ${hours(row.unallocated_seconds)}`,
    `unknown ${hours(row.unknown_seconds)}`,
    energyText(row),
    ...(row.cost === undefined
      ? []
      : [`cost ${figure(row.cost)} ${row.currency ?? ""} (idle ${figure(row.idle_cost ?? 0)})`]),
    // it is that of held time
    ...(isHeld ? [utilizationText(row)] : []),
  ];
  return `${prefix}${groupOf(row)}: ${counted(row.devices, "device")}; ${parts.join("; ")}`;
}

function heldText(row: Row): string {
  const effective =
    row.effective_by === "none" ? "effective not measured" : `effective ${hours(row.effective_seconds)}`;
  return `held ${hours(row.allocated_seconds)} (active ${hours(row.active_seconds)}, idle ${hours(row.idle_seconds)}, ${effective})`;
}

/** The energy of held time, and of the rest. */
function energyText({ energy_by, energy_kwh: held, other_energy_kwh: other }: Row): string {
  if (energy_by === "none" && other === 0) return "energy not measured";
  return `energy ${figure(held)} kWh in held time, ${figure(other)} kWh in the rest`;
}

function utilizationText({ utilization_mean: mean, utilization_max: max }: Row): string {
  if (mean === undefined) return "utilization not measured";
  return `utilization mean ${figure(mean)} %, highest ${figure(max ?? mean)} %`;
}
