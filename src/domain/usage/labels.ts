/** Who holds a device by the labels of its records: the job of a batch system, and the user; empty if none says so. */
export interface HolderLabels {
  readonly job: string;
  readonly user: string;
}

/** A device whose records have no such labels. */
export const noLabels: HolderLabels = { job: "", user: "" };

// Prometheus adds a label `job` of its own: it is the name of the scrape
const jobNames = ["hpc_job", "slurm_job_id", "slurm_jobid", "jobid", "job_id"];
const userNames = ["user", "username", "slurm_user", "job_user", "userid", "user_id", "label_user"];
/** What exporters write for no job. */
const noJobs: ReadonlySet<string> = new Set(["", "0", "-1", "none", "null"]);

/** Finds the labels among the properties that a record reports; their names are compared without regard to case. */
export function holderLabelsOf(properties: Readonly<Record<string, string>>): HolderLabels {
  const texts = new Map(Object.entries(properties).map(([name, text]) => [name.toLowerCase(), text.trim()]));
  const first = (names: readonly string[]): string =>
    names.map((name) => texts.get(name) ?? "").find((text) => !noJobs.has(text.toLowerCase())) ?? "";
  const found = { job: first(jobNames), user: first(userNames) };
  return found.job === "" && found.user === "" ? noLabels : found;
}
