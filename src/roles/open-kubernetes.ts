import { isIPv6 } from "node:net";
import type { Config } from "../config/parse-config.ts";
import type { Clock } from "../kit/clock.ts";
import { KubernetesApi } from "../kubernetes/kubernetes-api.ts";
import { ServiceAccount } from "../kubernetes/service-account.ts";

/** The API of the cluster that the settings name, or in which this process runs. */
export function openKubernetes(config: Config, clock: Clock): KubernetesApi {
  const { kubernetesServiceHost: host = "", kubernetesServicePort: port } = config;
  const url = config.kubernetesApiUrl ?? `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  return new KubernetesApi({ url, account: new ServiceAccount(config.kubernetesServiceAccountDir), clock });
}
