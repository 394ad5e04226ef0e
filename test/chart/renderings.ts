import type { Rendering } from "./render-chart.ts";

/** The values of one installation with everything that excludes nothing else. */
export const everything: Rendering = {
  files: [
    "values-production.yaml",
    ...["keys", "keda", "oidc", "dcgm-exporter", "grafana"].map((name) => `examples/${name}.yaml`),
  ],
  set: [
    ...["nexusGateway.httpRoute.enabled=true", "nexusGateway.httpRoute.parentRefs[0].name=public"],
    ...["nexusGateway.tls.existingSecret=gateway-tls", "imagePullSecrets[0].name=pull"],
  ],
};

const external = "database.existingSecret=telemetry-database";
const noEtcd = "etcd.enabled=false,externalEtcd.endpoints[0]=http://etcd-0.example.org:2379";

/** Installations that differ in what is chosen, each named by its values. */
export const renderings: readonly (readonly [string, Rendering])[] = [
  everything,
  { files: ["values-nexus.yaml"] },
  { files: ["values-production.yaml"] },
  { files: ["values-production.yaml", "examples/dcgm-exporter.yaml"] },
  { files: ["values-production.yaml", "examples/keys.yaml"] },
  { files: ["values-nexus.yaml", "examples/oidc.yaml"] },
  { files: ["values-nexus.yaml", "examples/keda.yaml"] },
  { files: ["values-nexus.yaml", "examples/grafana.yaml"] },
  ...[
    "autoscaling.mode=hpa",
    "autoscaling.mode=coordinator,nexusStreamer.exporters.discovery.enabled=true",
    "nexusCoordinator.enabled=false",
    "networkPolicy.enabled=false",
    "podDisruptionBudget.enabled=false",
    "migrations.enabled=false",
    "access.generateFirstKey=false",
    "access.openPages={health,metrics},serviceMonitor.enabled=true",
    "prometheusRule.enabled=true,prometheusRule.labels.release=prometheus",
    "etcd.replicaCount=1,etcd.persistence.enabled=false",
    "etcd.replicaCount=5,etcd.defragmentation.enabled=false",
    "etcd.tls.enabled=true,etcd.tls.existingSecret=etcd,etcd.tls.clientSecret=etcd-client",
    noEtcd,
    `${noEtcd},externalEtcd.username=telemetry,externalEtcd.passwordSecret=etcd-user`,
    "etcd.enabled=false,externalEtcd.endpoints[0]=https://etcd-0.example.org:2379,externalEtcd.tlsSecret=etcd-client",
    "nexusStreamer.csv.configMap=telemetry-csv",
    "nexusStreamer.csv.existingClaim=telemetry-csv,nexusStreamer.csv.checksum=1f",
    "nexusStreamer.csv.existingClaim=telemetry-csv,nexusStreamer.csv.oneNode=false",
    "nexusStreamer.exporters.targets={gpu-01:9400,gpu-02:9400}",
    "nexusStreamer.exporters.targetsConfigMap=exporters,nexusStreamer.exporters.ports={9400,9401}",
    "nexusGateway.service.type=LoadBalancer,nexusGateway.service.loadBalancerSourceRanges={10.0.0.0/8}",
    "nexusGateway.service.type=NodePort,nexusGateway.service.nodePort=30080",
    "nexusGateway.httpRoute.enabled=true,nexusGateway.httpRoute.parentRefs[0].name=public,nexusGateway.httpRoute.hostnames={gpus.example.org}",
    "nexusGateway.tls.existingSecret=gateway-tls,serviceMonitor.enabled=true,serviceMonitor.keySecret=prometheus-key",
    "nexusGateway.tls.existingSecret=gateway-tls,nexusGateway.files.AUTH_CLIENT_CA_FILE.secret=ca,nexusGateway.files.AUTH_CLIENT_CA_FILE.key=ca.crt,nexusGateway.settings.AUTH_CLIENT_CERTIFICATES=required",
    "image.registry=registry.example.org/gpu,image.tag=9.9.9,imagePullSecrets[0].name=pull",
    "settings.RETENTION_RAW_DAYS=90,settings.CLIENT_ROWS_PER_MINUTE=20000000,nexusCollector.settings.COLLECTOR_WORKERS=16",
    "nameOverride=gpus,commonLabels.team=gpu",
  ].map((set) => ({ set: [external, set] })),
].map((rendering: Rendering) => [[...(rendering.files ?? []), ...(rendering.set ?? [])].join(" "), rendering]);
