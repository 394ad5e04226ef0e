import type { Gpu, Occupants } from "../../domain/gpu.ts";

/** Labels by which exporters name the job of a batch system. Not `job`: Prometheus adds it, and it names the scrape. */
const jobLabels = ["hpc_job", "slurm_job_id", "slurm_jobid", "jobid", "job_id"] as const;
/** What exporters write for no job. */
const noJobs: ReadonlySet<string> = new Set(["", "0", "-1", "none", "null"]);

/** Pods of a job have its name and their index; those of Kubernetes' indexed jobs also five random characters. */
const index = /-\d+(?:-[a-z0-9]{5})?$/;
/** Operators for training add the role of a pod before its index: train-master-0 and train-worker-3 are of the job train. */
const role = /-(?:master|worker|launcher|chief|ps)$/;

/** The job that holds a device: the number that a batch system gives it, or the namespace and name by the pod, such as `team/train`.
 *  Empty if there is none, or if several pods share the device. */
export function jobOf({ properties }: Pick<Gpu, "properties">, occupants: Occupants): string {
  for (const label of jobLabels) {
    const text = properties[label];
    if (text !== undefined && !noJobs.has(text.toLowerCase())) return text;
  }
  const [workload] = occupants;
  if (workload === undefined || occupants.length > 1 || workload.pod === "") return "";
  const name = workload.pod.replace(index, "");
  return `${workload.namespace}/${name === workload.pod ? name : name.replace(role, "")}`;
}
