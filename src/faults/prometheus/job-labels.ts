/** The labels that name the workload on a GPU. Through Prometheus, those of the GPU begin with exported_, unless honor_labels is set. */
const namespaces = ["exported_namespace", "namespace"];
const pods = ["exported_pod", "pod"];

/** Matchers for series of GPUs that a workload holds. A plain `pod` may be the exporter's own. */
export const heldMatchers: readonly string[] = ['exported_pod!=""', 'exported_pod="",pod!="",pod!~".*exporter.*"'];

/** The labels by which the GPUs of one job on one host are grouped: there, they share a pod. */
export const hostJobLabels = ["instance", "modelName", ...namespaces, ...pods, "hpc_job"].join(", ");

/** The labels by which the GPUs of a job are grouped, after `withJob`. */
export const jobLabels = ["modelName", ...namespaces, "hpc_job", "job_of_pod"].join(", ");

/** The name of a pod without the number of the pod, as in job-of.ts. */
const jobOfPod = "(.+?)(?:(?:-(?:master|worker|launcher|chief|ps))?-[0-9]+(?:-[a-z0-9]{5})?)?";

/** Adds the label `job_of_pod`: the name of the job that the pod belongs to. */
export function withJob(expression: string): string {
  return pods
    .toReversed()
    .reduce((inner, label) => `label_replace(${inner}, "job_of_pod", "$1", "${label}", "${jobOfPod}")`, expression);
}
