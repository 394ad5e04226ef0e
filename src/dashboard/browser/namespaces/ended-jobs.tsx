import { dateText, memoryText, quantityText } from "../../model/format.ts";
import { figureText } from "../../model/usage-figures.ts";
import { type Column, DataTable } from "../frame/data-table.tsx";
import { msOf } from "../live/gateway-api.ts";
import type { JobUsage } from "../live/usage-api.ts";

interface EndedJobsOptions {
  /** Undefined: not read yet. */
  readonly jobs: readonly JobUsage[] | undefined;
  readonly problem: string | undefined;
}

const hourMs = 3_600_000;
/** The newest ones are those that are asked for. */
const mostJobs = 100;

const nameOf = ({ namespace, pod, job }: JobUsage): string =>
  [[namespace, pod].filter((name) => name !== "").join("/"), job === "" ? "" : `job ${job}`]
    .filter((name) => name !== "")
    .join(", ");

const columns: readonly Column<JobUsage>[] = [
  ["Pod or job", nameOf],
  ["User", ({ user }) => user],
  ["Ended", ({ end_time: at }) => dateText(msOf(at))],
  ["Lasted", lastedText],
  ["GPUs", ({ devices }) => devices],
  ["GPU-hours", (job) => figureText(job, "allocated")],
  ["Active", (job) => figureText(job, "active")],
  ["Effective", (job) => figureText(job, "effective")],
  ["Idle", (job) => figureText(job, "idle")],
  ["Utilization", (job) => levelText(job.utilization_mean, job.utilization_max, (value) => quantityText(value, "%"))],
  ["Memory", (job) => levelText(job.memory_mean_mb, job.memory_max_mb, (value) => memoryText(value, NaN))],
  ["Power", (job) => levelText(job.power_mean, job.power_max, (value) => quantityText(value, "W"))],
  ["Energy", (job) => figureText(job, "energy")],
];
const costColumn: Column<JobUsage> = ["Cost", (job) => figureText(job, "cost")];

/** What pods and jobs used that have ended in the chosen time. */
export function EndedJobs({ jobs, problem }: EndedJobsOptions) {
  const hasCost = jobs?.some(({ cost }) => cost !== undefined) === true;
  return (
    <DataTable
      id="ended"
      title="Ended pods and jobs"
      rows={jobs?.slice(0, mostJobs)}
      problem={problem}
      columns={hasCost ? [...columns, costColumn] : columns}
      keyOf={(job) => JSON.stringify([nameOf(job), job.start_time])}
      empty="No pod or job that held a GPU in this time has ended: each is named by records of the last 15 minutes."
    >
      <p>
        What each used, the last one to end first; levels are mean / greatest.
        {jobs !== undefined && jobs.length > mostJobs && ` The last ${mostJobs} of ${jobs.length} are shown.`}
      </p>
    </DataTable>
  );
}

/** A job that held a device at the beginning of the range may have started before. */
function lastedText({ start_time: from, end_time: to, complete }: JobUsage): string {
  const text = quantityText((msOf(to) - msOf(from)) / hourMs, "h");
  return complete ? text : `at least ${text}`;
}

function levelText(mean: number | undefined, max: number | undefined, textOf: (value: number) => string): string {
  return mean === undefined || max === undefined ? "not measured" : `${textOf(mean)} / ${textOf(max)}`;
}
