import type { Occupants } from "../../domain/gpu.ts";

/** Pods of a job have its name and their index; those of Kubernetes' indexed jobs also five random characters. */
const index = /-\d+(?:-[a-z0-9]{5})?$/;

/** The namespace and name of the job that holds a device; empty if there is none, or several workloads share the device. */
export function jobOf(occupants: Occupants): string {
  const [workload] = occupants;
  if (workload === undefined || occupants.length > 1 || workload.pod === "") return "";
  return `${workload.namespace}/${workload.pod.replace(index, "")}`;
}
