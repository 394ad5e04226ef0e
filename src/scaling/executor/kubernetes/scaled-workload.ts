/** A Deployment or StatefulSet whose pods are the processes of a role. */
export interface ScaledWorkload {
  readonly kind: "deployment" | "statefulset";
  readonly name: string;
}

/** Reads `deployment/name`, `statefulset/name` or the name of a Deployment. */
export function readScaledWorkload(text: string): ScaledWorkload {
  const [first = "", name] = text.split("/");
  return name === undefined
    ? { kind: "deployment", name: first }
    : { kind: first === "statefulset" ? "statefulset" : "deployment", name };
}

/** `deployment/name`, as kubectl shows it. */
export function workloadText({ kind, name }: ScaledWorkload): string {
  return `${kind}/${name}`;
}

/** The path of a workload's scale in the API. */
export function scalePath({ kind, name }: ScaledWorkload, namespace: string): string {
  return `/apis/apps/v1/namespaces/${namespace}/${kind}s/${name}/scale`;
}

/** The rules of a Role that may read and change the numbers of these workloads, and nothing else, as YAML in one line. */
export function scaleRules(workloads: readonly ScaledWorkload[]): string {
  const rules = (["deployment", "statefulset"] as const).flatMap((kind) => {
    const names = workloads.filter((each) => each.kind === kind).map(({ name }) => name);
    if (names.length === 0) return [];
    return `{apiGroups: [apps], resources: [${kind}s/scale], resourceNames: [${names.join(", ")}], verbs: [get, patch]}`;
  });
  return `rules: [${rules.join(", ")}]`;
}
