import { type TProperties, Type } from "@sinclair/typebox";
import { fileSettings, plainSettings } from "./setting-names.ts";

/** An object of the chart's own: it has these keys and no others, so that a misspelt one is refused. */
const own = <T extends TProperties>(properties: T) =>
  Type.Partial(Type.Object(properties), { additionalProperties: false });
/** An object of Kubernetes, whose newer fields the chart passes on. */
const kubernetes = Type.Object({}, { additionalProperties: true });
const kubernetesList = Type.Array(kubernetes);
const texts = Type.Record(Type.String(), Type.String());
/** Labels next to the chart's own, by which selectors find the pods. */
const moreLabels = Type.Record(Type.String(), Type.String(), {
  propertyNames: {
    not: {
      pattern: "^(?:app\\.kubernetes\\.io/(?:name|instance|component|part-of|version|managed-by)|helm\\.sh/chart)$",
    },
  },
});
const name = Type.String({ pattern: "^(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)?$" });
const key = Type.String({ pattern: "^[-._a-zA-Z0-9]+$" });
const count = (minimum: number, maximum = 10_000) => Type.Integer({ minimum, maximum });
const quantity = Type.String({ pattern: "^[0-9]+(?:\\.[0-9]+)?(?:[mkMGTPE]|[KMGTPE]i)?$" });
const list = (pattern: string) => Type.Array(Type.String({ pattern }));

const settingsOfRole = own(
  Object.fromEntries(plainSettings().map((each) => [each, Type.Union([Type.String(), Type.Number(), Type.Boolean()])])),
);
const filesOfRole = own(
  Object.fromEntries(fileSettings().map((each) => [each, own({ secret: name, configMap: name, key })] as const)),
);
const [settings, files] = [
  Type.Unsafe({ $ref: "#/definitions/settings" }),
  Type.Unsafe({ $ref: "#/definitions/files" }),
];
const image = own({
  registry: Type.String({ pattern: "^[-\\w.:/[\\]]*$" }),
  repository: Type.String({ pattern: "^[-\\w.:/[\\]]+$" }),
  tag: Type.String({ pattern: "^(?:\\w[-\\w.]{0,127})?$" }),
  digest: Type.String({ pattern: "^(?:sha256:[0-9a-f]{64})?$" }),
  pullPolicy: Type.Union(["IfNotPresent", "Always", "Never"].map((each) => Type.Literal(each))),
});
const persistence = own({ enabled: Type.Boolean(), size: quantity, storageClass: name });
const placement = { nodeSelector: texts, tolerations: kubernetesList, priorityClassName: name };
const autoscaling = own({ minReplicas: count(1), maxReplicas: count(1), averageCpu: quantity });

/** The values of a role: those of all roles, and its own. */
const role = <T extends TProperties>(properties: T) =>
  own({
    replicaCount: count(0),
    resources: kubernetes,
    settings,
    files,
    podLabels: moreLabels,
    podAnnotations: texts,
    affinity: kubernetes,
    topologySpreadConstraints: kubernetesList,
    networkPolicy: own({ extraIngress: kubernetesList, extraEgress: kubernetesList }),
    ...placement,
    ...properties,
  });

const named = Type.String({ minLength: 1 });
const nexusStreamer = role({
  autoscaling,
  csv: own({
    ...{ configMap: name, existingClaim: name, file: key },
    ...{ oneNode: Type.Boolean(), checksum: Type.String() },
  }),
  exporters: own({
    targets: Type.Array(named),
    srv: list("^[_a-zA-Z0-9.-]+$"),
    targetsConfigMap: name,
    targetsKey: key,
    ports: Type.Array(count(1, 65_535)),
    discovery: own({
      ...{ enabled: Type.Boolean(), selector: named, namespace: name },
      port: Type.Union([count(1, 65_535), Type.String({ pattern: "^(?:[0-9]{1,5}|[a-z0-9][a-z0-9-]{0,14})$" })]),
    }),
  }),
});

const paths = Type.Array(
  own({
    path: Type.String(),
    pathType: Type.Union(["Prefix", "Exact", "ImplementationSpecific"].map((each) => Type.Literal(each))),
  }),
);
const nexusGateway = role({
  autoscaling,
  drainSeconds: count(0, 3600),
  allowedHosts: list("^(?:\\*|(?:\\*\\.)?[A-Za-z0-9_.-]+|[0-9A-Fa-f:.]+)$"),
  tls: own({ existingSecret: name }),
  service: own({
    type: Type.Union(["ClusterIP", "NodePort", "LoadBalancer"].map((each) => Type.Literal(each))),
    nodePort: Type.Union([Type.Null(), count(1, 65_535)]),
    annotations: texts,
    loadBalancerSourceRanges: list("^[0-9a-fA-F.:]+/[0-9]+$"),
  }),
  ingress: own({
    ...{ enabled: Type.Boolean(), className: name, annotations: texts, tls: kubernetesList },
    hosts: Type.Array(own({ host: Type.String(), paths })),
  }),
  httpRoute: own({
    ...{ enabled: Type.Boolean(), parentRefs: kubernetesList, filters: kubernetesList },
    hostnames: Type.Array(Type.String()),
  }),
});

const database = own({
  existingSecret: name,
  urlKey: key,
  caKey: Type.Union([Type.Literal(""), key]),
  port: count(1, 65_535),
  trial: own({ enabled: Type.Boolean(), image, persistence, resources: kubernetes, ...placement }),
});

const etcd = own({
  enabled: Type.Boolean(),
  // an even number tolerates no more failures than the odd one below
  replicaCount: Type.Union([1, 3, 5].map((each) => Type.Literal(each))),
  image,
  quotaGiB: count(1, 64),
  persistence,
  tls: own({ enabled: Type.Boolean(), existingSecret: name, clientSecret: name }),
  defragmentation: own({ enabled: Type.Boolean(), schedule: Type.String({ pattern: "^(?:@\\w+|\\S+( \\S+){4})$" }) }),
  extraArgs: list("^--"),
  resources: kubernetes,
  affinity: kubernetes,
  ...placement,
});

const variable = Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" });
/** A path in Grafana's container. */
const path = Type.String({ pattern: "^(?:/[^\\s${}]+)?$" });
const url = Type.String({ pattern: "^(?:https?://[^\\s$]+)?$" });
const grafana = own({
  namespace: name,
  dashboards: own({ enabled: Type.Boolean(), labels: moreLabels, annotations: texts }),
  dataSources: own({
    ...{ enabled: Type.Boolean(), labels: moreLabels, keyVariable: variable, passwordVariable: variable },
    gateway: own({ url, caFile: path }),
    database: own({
      ...{
        host: Type.String({ pattern: "^[-\\w.:[\\]]*$" }),
        name: Type.String({ pattern: "^[^\\s$]+$" }),
        caFile: path,
      },
      sslMode: Type.Union(["", "disable", "require", "verify-ca", "verify-full"].map((each) => Type.Literal(each))),
    }),
    prometheusUrl: url,
  }),
});

const values = own({
  nameOverride: Type.String({ pattern: "^(?:[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)?$" }),
  fullnameOverride: Type.String({ pattern: "^(?:[a-z](?:[-a-z0-9]{0,34}[a-z0-9])?)?$" }),
  image,
  imagePullSecrets: kubernetesList,
  clusterId: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" }),
  shutdownTimeoutSeconds: count(1, 3600),
  settings,
  files,
  commonLabels: moreLabels,
  extraManifests: Type.Array(Type.Union([kubernetes, Type.String()])),
  access: own({
    ...{ existingSecret: name, key, generateFirstKey: Type.Boolean() },
    openPages: Type.Array(Type.Union(["health", "metrics", "docs"].map((each) => Type.Literal(each)))),
  }),
  nexusStreamer,
  nexusCollector: role({ autoscaling }),
  nexusGateway,
  nexusCoordinator: role({ enabled: Type.Boolean() }),
  autoscaling: own({
    mode: Type.Union(["none", "hpa", "keda", "coordinator"].map((each) => Type.Literal(each))),
    keda: own({ existingSecret: name, key, pollingInterval: count(1, 3600) }),
  }),
  podDisruptionBudget: own({ enabled: Type.Boolean(), maxUnavailable: count(1) }),
  database,
  migrations: own({
    ...{ enabled: Type.Boolean(), backoffLimit: count(0), activeDeadlineSeconds: count(1, 1_000_000) },
    ...{ resources: kubernetes, ...placement },
  }),
  etcd,
  externalEtcd: own({
    ...{ endpoints: list("^https?://[^/,@\\s]+:\\d+$"), username: Type.String() },
    ...{ passwordSecret: name, tlsSecret: name },
  }),
  networkPolicy: own({
    ...{ enabled: Type.Boolean(), gatewayFrom: kubernetesList, metricsFrom: kubernetesList },
    ...{ databaseTo: kubernetesList, etcdTo: kubernetesList, apiTo: kubernetesList, databaseFrom: kubernetesList },
    apiPorts: Type.Array(count(1, 65_535)),
  }),
  serviceMonitor: own({
    ...{ enabled: Type.Boolean(), interval: Type.String({ pattern: "^\\d+(?:ms|s|m|h)$" }), labels: texts },
    ...{ keySecret: name, key },
  }),
  prometheusRule: own({ enabled: Type.Boolean(), labels: texts, extraRules: kubernetesList }),
  grafana,
  // what a chart that has this one as a part may hand down
  global: kubernetes,
});

/** The schema of the chart's values. */
export const valuesSchema = { ...values, definitions: { settings: settingsOfRole, files: filesOfRole } };
