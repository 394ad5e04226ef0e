import { Type } from "@sinclair/typebox";

const namespacePattern = {
  pattern: "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
  expects: "a name of lower-case letters, digits and dashes, such as gpu-operator",
};

/** The workload of a role that the coordinator scales. */
const workload = (env: string, role: string) =>
  Type.Optional(
    Type.String({
      env,
      pattern: "^((deployment|statefulset)/)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$",
      expects: "deployment/name, statefulset/name or the name of a Deployment",
      description: `Workload of the ${role}s, for EXECUTOR=kubernetes; absent: the coordinator does not change their number`,
    }),
  );

/** The settings of a process in a Kubernetes cluster that calls the cluster's API. */
export const kubernetesSettings = {
  kubernetesApiUrl: Type.Optional(
    Type.String({
      env: "KUBERNETES_API_URL",
      pattern: "^https?://[^/\\s]+$",
      expects: "a URL without a path, such as https://10.96.0.1:443",
      description: "API server, for EXECUTOR and DCGM_DISCOVERY=kubernetes; absent: that of the cluster with this pod",
    }),
  ),
  kubernetesServiceHost: Type.Optional(
    Type.String({
      env: "KUBERNETES_SERVICE_HOST",
      minLength: 1,
      description: "Address of the API server, which Kubernetes sets in every pod",
    }),
  ),
  kubernetesServicePort: Type.Integer({
    env: "KUBERNETES_SERVICE_PORT",
    default: 443,
    minimum: 1,
    maximum: 65_535,
    description: "Port of the API server, which Kubernetes sets in every pod",
  }),
  kubernetesServiceAccountDir: Type.String({
    env: "KUBERNETES_SERVICE_ACCOUNT_DIR",
    default: "/var/run/secrets/kubernetes.io/serviceaccount",
    minLength: 1,
    description: "Folder with token, ca.crt and namespace of the service account, each read again when it changes",
  }),
  kubernetesNamespace: Type.Optional(
    Type.String({
      env: "KUBERNETES_NAMESPACE",
      ...namespacePattern,
      description: "Namespace of the workloads that the coordinator scales; absent: that of the service account",
    }),
  ),
  scalingStreamerWorkload: workload("SCALING_STREAMER_WORKLOAD", "streamer"),
  scalingCollectorWorkload: workload("SCALING_COLLECTOR_WORKLOAD", "collector"),
  scalingGatewayWorkload: workload("SCALING_GATEWAY_WORKLOAD", "gateway"),
  dcgmDiscovery: Type.Optional(
    Type.Union([Type.Literal("kubernetes")], {
      env: "DCGM_DISCOVERY",
      description: "Finds exporters to scrape, in addition to DCGM_TARGETS: in the pods of a Kubernetes cluster",
    }),
  ),
  dcgmPodSelector: Type.String({
    env: "DCGM_POD_SELECTOR",
    default: "app.kubernetes.io/name=dcgm-exporter",
    minLength: 1,
    description: "Labels of the exporters' pods, for DCGM_DISCOVERY=kubernetes, as kubectl's --selector",
  }),
  dcgmPodNamespace: Type.Optional(
    Type.String({
      env: "DCGM_POD_NAMESPACE",
      ...namespacePattern,
      description: "Namespace of the exporters' pods; absent: all namespaces",
    }),
  ),
  dcgmPodPort: Type.String({
    env: "DCGM_POD_PORT",
    default: "9400",
    pattern: "^([0-9]{1,5}|[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?)$",
    expects: "a number, or the name of a container's port such as metrics",
    description: "Port of the exporters in their pods",
  }),
};
