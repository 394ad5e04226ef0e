import { missedText, shareText } from "../../model/coverage-text.ts";
import { ageText, dateText } from "../../model/format.ts";
import { bytesText, numberText, secondsText } from "../../model/pipeline-text.ts";
import { nowMs } from "../clock.ts";
import { msOf } from "../live/gateway-api.ts";
import type * as api from "../live/pipeline-api.ts";
import { type Column, DataTable } from "../frame/data-table.tsx";

interface PartOptions {
  readonly live: api.LivePipeline;
}

/** The services of the gateway that are not well; nothing if all are. */
export function Degraded({ live: { answers } }: PartOptions) {
  const degraded = (answers.pipeline?.services ?? []).filter(({ status }) => status === "degraded");
  if (degraded.length === 0) return null;
  return (
    <div class="notice problem" role="status">
      <h2>Parts of this process are degraded</h2>
      <ul>
        {degraded.map(({ name, reason }) => (
          <li key={name}>
            {name}: {reason}
          </li>
        ))}
      </ul>
    </div>
  );
}

const serviceColumns: readonly Column<api.Service>[] = [
  ["Process", ({ name }) => name],
  ["Roles", ({ roles }) => roles.join(", ")],
  [
    "State",
    ({ state, health, errors }) => [state, health === "ok" ? "" : health, ...errors].filter(Boolean).join("; "),
  ],
  ["Samples", ({ load }) => numberText(load.samples_per_second, "/s")],
  ["Stored", ({ load }) => numberText(load.stored_messages_per_second, "messages/s")],
  ["CPU", ({ load }) => numberText(load.cpu_percent, "%")],
  ["Memory", ({ load }) => bytesText(load.rss_bytes)],
  ["Lag", ({ load }) => secondsText(load.lag_seconds)],
  ["Clients", ({ load }) => numberText(load.clients)],
  ["Version", ({ version }) => version],
  ["Started", ({ started_at: at }) => `${ageText(msOf(at), nowMs())} ago`],
];

/** The running processes. */
export function Services({ live: { answers, problems } }: PartOptions) {
  return (
    <DataTable
      id="services"
      title="Processes"
      rows={answers.services}
      problem={problems.services}
      columns={serviceColumns}
      keyOf={({ instance_id: id }) => id}
      empty="No process has registered."
    />
  );
}

type Decision = api.Scaling["decisions"][number];
const decisionColumns: readonly Column<Decision>[] = [
  ["Time", ({ at }) => dateText(msOf(at))],
  ["Role", ({ role }) => role],
  ["Decision", ({ direction, from, to }) => (direction === "hold" ? `hold ${to}` : `${direction}, ${from} to ${to}`)],
  ["Reason", ({ reason }) => reason],
];
const mostDecisions = 20;

/** What the coordinator has decided about the number of processes, and why. */
export function ScalingDecisions({ live: { answers, problems } }: PartOptions) {
  const { scaling } = answers;
  const decisions = scaling?.decisions.toSorted((a, b) => msOf(b.at) - msOf(a.at));
  const roles = Object.entries(scaling?.desired ?? {});
  return (
    <DataTable
      id="scaling"
      title="Scaling"
      rows={decisions?.slice(0, mostDecisions)}
      problem={problems.scaling}
      columns={decisionColumns}
      keyOf={({ id }) => id}
      empty="There are no decisions: no coordinator runs (ROLE=coordinator), or it has not decided yet."
    >
      {roles.length > 0 && (
        <p>
          {roles.map(([role, count]) => `${role}: ${scaling?.actual[role] ?? 0} of ${count} decided`).join("; ")}
          {scaling?.leader !== undefined && `; the leader is ${scaling.leader.instance_id}`}
        </p>
      )}
    </DataTable>
  );
}

const targetColumns: readonly Column<api.Target>[] = [
  ["Target", ({ target }) => target],
  ["Kind", ({ kind }) => kind],
  ["State", ({ state, message }) => `${state}: ${message}`],
  ["Last read", ({ last_read_at: at }) => (at === undefined ? "never" : `${ageText(msOf(at), nowMs())} ago`)],
  ["Devices", ({ devices }) => devices],
  [
    "Gaps",
    ({ gaps, gap_reasons: reasons }) => [gaps, ...reasons.map((each) => `${each.count} ${each.reason}`)].join(", "),
  ],
  [
    "Last error",
    ({ last_error: error }) => (error === undefined ? "" : `${dateText(msOf(error.at))} ${error.message}`),
  ],
];
const mostTargets = 50;
const stateOrder = ["down", "waiting", "up"];

/** The exporters and other live sources, those that do not answer first. */
export function Targets({ live: { answers, problems } }: PartOptions) {
  const targets = answers.targets?.toSorted((a, b) => stateOrder.indexOf(a.state) - stateOrder.indexOf(b.state));
  const down = targets?.filter(({ state }) => state === "down").length ?? 0;
  return (
    <DataTable
      id="targets"
      title="Targets"
      rows={targets?.slice(0, mostTargets)}
      problem={problems.targets}
      columns={targetColumns}
      keyOf={({ source_id: id }) => id}
      empty="No exporter is scraped. DCGM_TARGETS=gpu-01:9400,gpu-02:9400 bun run dev scrapes two."
    >
      {targets !== undefined && targets.length > 0 && (
        <p>
          {targets.length} {targets.length === 1 ? "target" : "targets"}, {down} down
          {targets.length > mostTargets && `; the first ${mostTargets} are shown, those that are down first`}
        </p>
      )}
    </DataTable>
  );
}

const coverageColumns: readonly Column<api.Coverage>[] = [
  ["Cluster", ({ cluster_id: cluster }) => cluster],
  ["Devices", ({ devices }) => devices],
  ["Coverage", shareText],
  ["Readings", missedText],
];

/** How much of what was due is there, by cluster, in this hour and the last. */
export function Coverage({ live: { answers, problems } }: PartOptions) {
  return (
    <DataTable
      id="coverage"
      title="Coverage"
      rows={answers.coverage}
      problem={problems.coverage}
      columns={coverageColumns}
      keyOf={({ cluster_id: cluster = "" }) => cluster}
      empty="Nothing was due in this hour and the last."
    />
  );
}
