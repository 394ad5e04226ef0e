import { type KubernetesObject, member, type Pod, podsOf, type PodTemplate, templateOf } from "./render-chart.ts";

/** Names in an object, or from one object to another, that lead nowhere: mounts without a volume, Secrets and ServiceAccounts of the
 *  release that are not made, tokens of pods without a right, selectors that find no pod, ports of Services that no pod has. */
export function referenceProblems(objects: readonly KubernetesObject[]): string[] {
  const made = (kind: string, name: string): boolean =>
    objects.some((each) => each.kind === kind && each.metadata.name === name);
  const templates = objects.flatMap((object) => templateOf(object) ?? []);
  const mayCall = objects.flatMap((object) =>
    object.kind.endsWith("Binding") ? [member(object, "subjects.0.name")] : [],
  );
  const problems = podsOf(objects).flatMap(({ component, pod }) => [
    ...podProblems(component, pod, made),
    // a token without a right, or a right without a token
    ...(pod.automountServiceAccountToken === mayCall.includes(pod.serviceAccountName)
      ? []
      : [`${component}: its token`]),
  ]);
  for (const object of objects) {
    const { kind, metadata } = object;
    if (
      !kind.startsWith("ClusterRole") &&
      !["telemetry-system", "gpu-operator", "monitoring"].includes(metadata.namespace ?? "")
    )
      problems.push(`${kind} ${metadata.name} is in no namespace`);
    const selector = selectorOf(object);
    if (selector === undefined || metadata.namespace !== "telemetry-system") continue;
    const found = templates.filter((template) => fits(selector, template));
    if (found.length === 0) problems.push(`${kind} ${metadata.name} selects no pod`);
    if (kind !== "Service") continue;
    const ports = found.flatMap(({ spec }) =>
      spec.containers.flatMap((each) => (each.ports ?? []).map(({ name }) => name)),
    );
    for (const { targetPort } of member(object, "spec.ports") as readonly { readonly targetPort: string }[]) {
      if (!ports.includes(targetPort)) problems.push(`Service ${metadata.name}: no pod has the port ${targetPort}`);
    }
  }
  return problems;
}

function fits(selector: Readonly<Record<string, string>>, { metadata: { labels } }: PodTemplate): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

function selectorOf(object: KubernetesObject): Readonly<Record<string, string>> | undefined {
  const paths: Readonly<Record<string, string>> = {
    Service: "spec.selector",
    NetworkPolicy: "spec.podSelector.matchLabels",
  };
  const workloads = ["PodDisruptionBudget", "Deployment", "StatefulSet"];
  const path = paths[object.kind] ?? (workloads.includes(object.kind) ? "spec.selector.matchLabels" : undefined);
  return path === undefined ? undefined : (member(object, path) as Readonly<Record<string, string>>);
}

function podProblems(component: string, pod: Pod, made: (kind: string, name: string) => boolean): string[] {
  const volumes = (pod.volumes ?? []).map(({ name }) => name);
  const [container] = pod.containers;
  const mounts = container?.volumeMounts ?? [];
  // the volume of a StatefulSet's own claim
  const missing = mounts
    .filter(({ name }) => name !== "data" && !volumes.includes(name))
    .map(({ name }) => `no volume ${name}`);
  const unused = volumes
    .filter((name) => !mounts.some((mount) => mount.name === name))
    .map((name) => `volume ${String(name)} is not mounted`);
  const own = /^telemetry-pipeline-/;
  const secrets = (pod.volumes ?? []).map(
    ({ secret }) => (secret as { readonly secretName: string } | undefined)?.secretName ?? "",
  );
  const unmade = secrets
    .filter((name) => own.test(name) && !made("Secret", name))
    .map((name) => `Secret ${name} is not made`);
  const files = (container?.env ?? []).filter(
    ({ name, value = "" }) =>
      name.endsWith("_FILE") && !mounts.some(({ mountPath }) => value.startsWith(`${mountPath}/`)),
  );
  return [
    ...[...missing, ...unused, ...unmade, ...files.map(({ name }) => `${name} is in no volume`)],
    ...(made("ServiceAccount", pod.serviceAccountName) ? [] : [`ServiceAccount ${pod.serviceAccountName} is not made`]),
  ].map((problem) => `${component}: ${problem}`);
}
