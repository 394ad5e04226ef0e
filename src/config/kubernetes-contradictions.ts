import type { Static, TObject } from "@sinclair/typebox";
import type { kubernetesSettings } from "./settings/kubernetes-settings.ts";

type KubernetesConfig = Static<TObject<typeof kubernetesSettings>> & { readonly executor: string };

/** The errors of settings about Kubernetes that contradict each other. */
export function kubernetesContradictions(config: KubernetesConfig): string[] {
  const { executor, dcgmDiscovery, kubernetesApiUrl, kubernetesServiceHost } = config;
  const errors: string[] = [];
  const users = [
    ...(executor === "kubernetes" ? ["EXECUTOR=kubernetes"] : []),
    ...(dcgmDiscovery === "kubernetes" ? ["DCGM_DISCOVERY=kubernetes"] : []),
  ];
  if (users.length > 0 && kubernetesApiUrl === undefined && kubernetesServiceHost === undefined) {
    errors.push(`${users.join(" and ")}: outside a cluster, KUBERNETES_API_URL has to name the API server`);
  }
  return [...errors, ...workloadErrors(config)];
}

function workloadErrors({ executor, ...config }: KubernetesConfig): string[] {
  if (executor !== "kubernetes") return [];
  const { scalingStreamerWorkload, scalingCollectorWorkload, scalingGatewayWorkload } = config;
  const named = Object.entries({
    SCALING_STREAMER_WORKLOAD: scalingStreamerWorkload,
    SCALING_COLLECTOR_WORKLOAD: scalingCollectorWorkload,
    SCALING_GATEWAY_WORKLOAD: scalingGatewayWorkload,
  }).filter(([, workload]) => workload !== undefined);
  if (named.length === 0) {
    return [
      "EXECUTOR=kubernetes needs a workload: SCALING_COLLECTOR_WORKLOAD=deployment/name, or that of another role",
    ];
  }
  return named.flatMap(([name, workload], at) => {
    const same = named.slice(0, at).find(([, other]) => other === workload);
    return same === undefined ? [] : [`${name} and ${same[0]} name one workload: each role needs one of its own`];
  });
}
