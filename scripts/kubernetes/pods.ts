/** A pod, as far as the commands look at it. */
interface Pod {
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly status: string; readonly message?: string }[];
    readonly containerStatuses?: readonly {
      readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
    }[];
  };
}

/** Why a pod is not ready, in the words of the cluster.
 *  @param json what `kubectl get pod NAME --output json` prints; undefined if it failed */
export function waitingReason(json: string | undefined): string {
  return reasonOf(JSON.parse(json ?? "{}") as Pod);
}

function reasonOf({ status = {} }: Pod): string {
  const [waiting] = (status.containerStatuses ?? []).flatMap(({ state }) => state?.waiting ?? []);
  if (waiting !== undefined) return [waiting.reason, waiting.message].filter((each) => each !== undefined).join(": ");
  const [unmet] = (status.conditions ?? []).flatMap((each) => (each.status === "True" ? [] : (each.message ?? [])));
  return unmet ?? `no node has started it (${status.phase ?? "no status"})`;
}

/** Why the logs of these pods cannot be shown, nor their ports be forwarded, as a sentence; undefined if one of them has started.
 *  @param json what `kubectl get pods --output json` prints */
export function reasonAgainstPods(json: string): string | undefined {
  const { items } = JSON.parse(json) as { readonly items: readonly Pod[] };
  const [first] = items;
  if (first === undefined) return "nothing is deployed here: make k8s-deploy-nexus deploys the pipeline";
  if (items.some(({ status }) => status?.phase !== "Pending")) return undefined;
  return `no pod has started yet; the first one: ${reasonOf(first)}. make k8s-status-nexus shows them all`;
}
