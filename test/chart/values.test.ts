import { expect, setDefaultTimeout, test } from "bun:test";
import { parse } from "yaml";
import { version } from "../../package.json";
import { generatedChartFiles } from "../../scripts/chart/chart-files.ts";
import { chartFolder } from "../../scripts/chart/chart-folder.ts";
import { fileSettings, plainSettings } from "../../scripts/chart/setting-names.ts";
import { settingNames } from "../../src/config/parse-config.ts";
import { containerOf, helm, objectOf, podOf, renderChart } from "./render-chart.ts";

setDefaultTimeout(60_000);

test("README.md and values.schema.json follow from values.yaml and the program's settings", async () => {
  for (const [name, text] of await generatedChartFiles()) {
    // `bun run generate:chart` writes them
    expect([name, (await Bun.file(`${chartFolder}/${name}`).text()) === text]).toEqual([name, true]);
  }
  const names = [...plainSettings(), ...fileSettings()];
  expect(names.filter((name) => !settingNames().includes(name))).toEqual([]);
  // secrets come only from Secrets
  expect(names.filter((name) => /(?:PASSWORD|SECRET|TOKEN|DATABASE_URL|BOOTSTRAP_KEY)$/.test(name))).toEqual([]);
});

test("the chart deploys this version of the program", async () => {
  const { appVersion } = parse(await Bun.file(`${chartFolder}/Chart.yaml`).text()) as { readonly appVersion: string };
  expect(appVersion).toBe(version);
});

test.each([
  ["settings.QUEUE_CAPACITY=5", "'/settings': additional properties 'QUEUE_CAPACITY' not allowed"],
  ["settings.DATABASE_URL=postgres://x", "additional properties 'DATABASE_URL' not allowed"],
  ["files.TLS_KEY_FILE.secret=x", "'/files': additional properties 'TLS_KEY_FILE' not allowed"],
  ["nexusStreamer.replicas=3", "'/nexusStreamer': additional properties 'replicas' not allowed"],
  ["nexusGateway.ingres.enabled=true", "'/nexusGateway': additional properties 'ingres' not allowed"],
  ["autoscaling.mode=both", "'/autoscaling/mode': value must be one of 'none', 'hpa', 'keda', 'coordinator'"],
  ["autoscaling.hpa.enabled=true", "'/autoscaling': additional properties 'hpa' not allowed"],
  ["nexusStreamer.autoscaling.minReplicas=0", "'/nexusStreamer/autoscaling/minReplicas': minimum: got 0, want 1"],
  ["etcd.replicaCount=2", "'/etcd/replicaCount': value must be one of 1, 3, 5"],
  ["podDisruptionBudget.minAvailable=1", "'/podDisruptionBudget': additional properties 'minAvailable' not allowed"],
  [
    "nexusStreamer.csv.configMap=a,nexusStreamer.csv.existingClaim=b",
    "csv.configMap=a and existingClaim=b exclude each other",
  ],
  ["nexusCollector.autoscaling.minReplicas=11", "nexusCollector.autoscaling.minReplicas=11 is above maxReplicas=10"],
  ["nexusGateway.drainSeconds=30", "nexusGateway.drainSeconds=30 is not below shutdownTimeoutSeconds=30"],
  ["database.existingSecret=db", "database.existingSecret and database.trial.enabled exclude each other"],
  ["database.trial.enabled=false", "database.existingSecret is empty: name the Secret that has the database's URL"],
  ["etcd.enabled=false", "externalEtcd.endpoints is empty, and etcd.enabled is false"],
  ["autoscaling.mode=keda", "autoscaling.keda.existingSecret is empty"],
  ["autoscaling.mode=keda,nexusCoordinator.enabled=false", "autoscaling.mode=keda needs nexusCoordinator.enabled=true"],
  ["serviceMonitor.enabled=true", "serviceMonitor.keySecret is empty"],
  ["grafana.dataSources.keyVariable=a-b", "'/grafana/dataSources/keyVariable': 'a-b' does not match pattern"],
  ["grafana.dataSources.password=x", "'/grafana/dataSources': additional properties 'password' not allowed"],
  [
    "grafana.dataSources.enabled=true,database.trial.enabled=false,database.existingSecret=db",
    "grafana.dataSources.database.host is empty: name the host of the database",
  ],
  ["database.urlKey=password", "database.urlKey=password is taken"],
  ["image.tag=a: b", "'/image/tag': 'a: b' does not match pattern"],
  ["image.repository=a\nb: c", "'/image/repository': 'a\\nb: c' does not match pattern"],
  ["database.caKey=a: b", "'/database/caKey': 'a: b' does not match pattern"],
  ["nameOverride=a b", "'/nameOverride': 'a b' does not match pattern"],
  ["fullnameOverride=1st", "'/fullnameOverride': '1st' does not match pattern"],
  ["etcd.persistence.size=1.5.2Gi", "'/etcd/persistence/size': '1.5.2Gi' does not match pattern"],
  ["commonLabels.app\\.kubernetes\\.io/component=x", "invalid propertyName 'app.kubernetes.io/component'"],
  ["nexusStreamer.podLabels.helm\\.sh/chart=x", "invalid propertyName 'helm.sh/chart'"],
  ["files.ETCD_CA_FILE.secret=a", "files.ETCD_CA_FILE has no key"],
  [
    "files.ETCD_CA_FILE.secret=a,files.ETCD_CA_FILE.configMap=b,files.ETCD_CA_FILE.key=c",
    "files.ETCD_CA_FILE names a secret and a configMap, which exclude each other",
  ],
])("helm refuses --set %s in a sentence", (set, sentence) => {
  const { code, errors } = helm(["template", "telemetry-pipeline"], { files: ["values-nexus.yaml"], set: [set] });
  expect(errors).toContain(sentence);
  expect(code).toBe(1);
});

test.each(["456", "1e3", "a.b"])("a release named %s, after which no Service can be named, needs a name", (release) => {
  const { code, errors } = helm(["template", release], { files: ["values-nexus.yaml"] });
  expect([code, errors]).toEqual([1, expect.stringContaining("set fullnameOverride")]);
});

test("what a role says of a file replaces what all roles have", () => {
  const [all, streamer] = ["files.ETCD_CA_FILE", "nexusStreamer.files.ETCD_CA_FILE"];
  const set = [`${all}.configMap=ca,${all}.key=ca.crt,${streamer}.secret=own`];
  const objects = renderChart({ files: ["values-nexus.yaml"], set });
  const source = (role: string) =>
    podOf(objectOf(objects, "Deployment", role)).volumes?.find(({ name }) => name === "etcd-ca-file");
  expect(source("nexus-collector")).toMatchObject({ configMap: { name: "ca", items: [{ key: "ca.crt" }] } });
  expect(source("nexus-streamer")).toMatchObject({ secret: { secretName: "own", items: [{ key: "ca.crt" }] } });
});

test("newer fields of Kubernetes' own objects pass, and so do further objects, with templates", () => {
  const manifest = "extraManifests[0]=apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-more";
  const set = ["nexusStreamer.resources.claims[0].name=gpu", manifest];
  const objects = renderChart({ files: ["values-nexus.yaml"], set });
  expect(containerOf(objectOf(objects, "Deployment", "nexus-streamer")).resources).toHaveProperty("claims");
  expect(objectOf(objects, "ConfigMap", "more").apiVersion).toBe("v1");
});

test("the notes say how to reach the gateways, and what is only for trials", () => {
  const notes = (set: string): string => {
    const command = ["install", "telemetry-pipeline", "--namespace", "telemetry-system", "--dry-run=client"];
    const { output, errors } = helm(command, { files: ["values-nexus.yaml"], set: [set] });
    return output.split("NOTES:\n")[1] ?? errors;
  };
  const trial = notes("clusterId=lab");
  expect(trial).toContain("kubectl port-forward svc/telemetry-pipeline-nexus-gateway 8080:8080 -n telemetry-system");
  expect(trial).toContain("jsonpath='{.data.first-key}' | base64 -d");
  expect(trial).toContain("the streamers simulate a fleet");
  expect(trial).toContain("a single server for trials, without backups");
  expect(trial).toContain("what 'kubectl scale' sets holds until the next 'helm upgrade'");
  const other = notes("nexusGateway.service.type=LoadBalancer,nexusStreamer.csv.configMap=a,autoscaling.mode=hpa");
  expect(other).toContain("on port 8080 of the external address");
  expect(other).not.toContain("simulate");
  expect(other).toContain("The autoscaler (hpa) decides the numbers of processes: it undoes what 'kubectl scale' sets");
});
