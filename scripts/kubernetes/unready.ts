interface Workload {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly replicas?: number };
  readonly status?: { readonly readyReplicas?: number };
}

/** The Deployments and StatefulSets that lack pods, each as a sentence.
 *  @param json what `kubectl get --output json` prints; undefined if it failed */
export function unreadyIn(json: string | undefined): string[] {
  const { items = [] } = JSON.parse(json ?? "{}") as { readonly items?: readonly Workload[] };
  if (items.length === 0) return ["nothing is deployed here: make k8s-deploy-nexus deploys the pipeline"];
  return items.flatMap(({ kind, metadata, spec, status }) => {
    const [wanted, ready] = [spec.replicas ?? 1, status?.readyReplicas ?? 0];
    return ready >= wanted ? [] : [`${kind} ${metadata.name}: ${ready} of ${wanted} pods are ready`];
  });
}
