import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import openapi from "../../clients/typescript/openapi.json";
import { containerOf, envOf, member, objectOf, podOf, renderChart } from "./render-chart.ts";
import { everything } from "./renderings.ts";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");
const trial = renderChart({ files: ["values-nexus.yaml"] });
const production = renderChart({ files: ["values-production.yaml"] });
const full = renderChart(everything);
const roles = ["streamer", "collector", "gateway", "coordinator"] as const;

const deploymentOf = (objects: typeof trial, role: string) => objectOf(objects, "Deployment", `nexus-${role}`);
const settingsOf = (objects: typeof trial, role: string, names: readonly string[]) => {
  const env = envOf(containerOf(deploymentOf(objects, role)));
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
};
const members = (scheme: string): string =>
  [0, 1, 2]
    .map((each) => `${scheme}://telemetry-pipeline-etcd-${each}.telemetry-pipeline-etcd.telemetry-system.svc:2379`)
    .join(",");

test("each role has its name, address, etcd and database, and a trial's collectors migrate their database themselves", () => {
  for (const role of roles) {
    const common = { ROLE: role, HOST: "0.0.0.0", PORT: "8080", CLUSTER_ID: "local-cluster" };
    const database = role === "streamer" ? {} : { DATABASE_URL_FILE: "/run/telemetry/database-url-file/url" };
    const names = [...Object.keys(common), "MIGRATE_ON_START", "ETCD_ENDPOINTS", "DATABASE_URL_FILE"];
    expect(settingsOf(trial, role, names)).toEqual({
      ...common,
      MIGRATE_ON_START: "true",
      ETCD_ENDPOINTS: members("http"),
      ...database,
    });
    expect(settingsOf(production, role, names)).toMatchObject({
      MIGRATE_ON_START: "false",
      ETCD_ENDPOINTS: members("https"),
    });
  }
});

test("only gateways have the first key, and answer under the names that lead to them", () => {
  for (const role of roles) {
    const key = settingsOf(full, role, ["AUTH_BOOTSTRAP_KEY_FILE", "TLS_CERT_FILE", "AUTH_OIDC_CLIENT_SECRET_FILE"]);
    expect([role, Object.keys(key).length]).toEqual([role, role === "gateway" ? 3 : 0]);
    expect(Object.keys(settingsOf(full, role, ["AUTH_KEYS_FILE"]))).toEqual(["AUTH_KEYS_FILE"]);
  }
  const names = ["ALLOWED_HOSTS", "HTTP_TRUST_FORWARDED_FOR"];
  const inside = "telemetry-pipeline-nexus-gateway.telemetry-system.svc";
  expect(settingsOf(trial, "gateway", names)).toEqual({ ALLOWED_HOSTS: inside });
  expect(settingsOf(production, "gateway", names)).toEqual({
    ALLOWED_HOSTS: `${inside},telemetry-api.company.com`,
    HTTP_TRUST_FORWARDED_FOR: "true",
  });
});

test("a pod has more time to end than the program takes", () => {
  const ending = Number(/const endingSeconds = (\d+);/.exec(readFileSync(join(root, "src/main.ts"), "utf8"))?.[1]);
  expect(ending).toBeGreaterThan(0);
  const slow = renderChart({
    files: ["values-nexus.yaml"],
    set: ["shutdownTimeoutSeconds=120,nexusGateway.drainSeconds=60"],
  });
  for (const [objects, role] of [trial, slow].flatMap((each) => roles.map((role) => [each, role] as const))) {
    const env = settingsOf(objects, role, ["SHUTDOWN_TIMEOUT_SECONDS", "SHUTDOWN_DRAIN_SECONDS"]);
    const needed = Number(env["SHUTDOWN_TIMEOUT_SECONDS"]) + Number(env["SHUTDOWN_DRAIN_SECONDS"] ?? 0) + ending;
    expect(podOf(deploymentOf(objects, role)).terminationGracePeriodSeconds).toBeGreaterThan(needed);
  }
});

test("resources and limits of counts are those of the seed's scaling guidelines", () => {
  const guidelines = {
    streamer: ["100m", "500m", "128Mi", "512Mi"],
    collector: ["200m", "1000m", "256Mi", "1Gi"],
    gateway: ["200m", "1000m", "256Mi", "1Gi"],
  };
  const hpa = renderChart({ files: ["values-nexus.yaml"], set: ["autoscaling.mode=hpa"] });
  const limits = { streamer: [1, 10], collector: [1, 10], gateway: [2, 5] };
  const decided = Object.fromEntries(
    Object.entries(limits).flatMap(([role, [min, max]]) => [
      [`SCALING_${role.toUpperCase()}_MIN`, String(min)],
      [`SCALING_${role.toUpperCase()}_MAX`, String(max)],
    ]),
  );
  expect(settingsOf(trial, "coordinator", Object.keys(decided))).toEqual(decided);
  for (const [role, [cpu, maxCpu, memory, maxMemory]] of Object.entries(guidelines)) {
    expect(containerOf(deploymentOf(trial, role)).resources).toEqual({
      requests: { cpu, memory },
      limits: { cpu: maxCpu, memory: maxMemory },
    });
    const scaler = objectOf(hpa, "HorizontalPodAutoscaler", `nexus-${role}`);
    expect([member(scaler, "spec.minReplicas"), member(scaler, "spec.maxReplicas")]).toEqual(
      limits[role as keyof typeof limits],
    );
  }
});

test("an autoscaler alone decides the numbers, and without one the values do", () => {
  for (const [mode, kind] of [
    ["none", ""],
    ["hpa", "HorizontalPodAutoscaler"],
    ["keda", "ScaledObject"],
    ["coordinator", ""],
  ] as const) {
    const set = [`autoscaling.mode=${mode},autoscaling.keda.existingSecret=keda-key`];
    const objects = renderChart({ files: ["values-nexus.yaml"], set });
    const replicas = roles.map((role) => member(deploymentOf(objects, role), "spec.replicas"));
    expect([mode, ...replicas]).toEqual([
      mode,
      ...(mode === "none" ? [2, 2, 2] : [undefined, undefined, undefined]),
      1,
    ]);
    const scalers = objects.filter((each) => /HorizontalPodAutoscaler|ScaledObject/.test(each.kind));
    expect(scalers.map((each) => each.kind)).toEqual(kind === "" ? [] : [kind, kind, kind]);
  }
  for (const role of ["streamer", "collector", "gateway"]) {
    const scaled = objectOf(full, "ScaledObject", `nexus-${role}`);
    const url = new URL(member(scaled, "spec.triggers.0.metadata.url") as string);
    expect(url.origin).toBe("https://telemetry-pipeline-nexus-gateway.telemetry-system.svc:8080");
    expect(url.pathname).toBe(`/api/v1/scaling/desired_${role}s`);
    const { parameters } = openapi.paths["/api/v1/scaling/{figure}"].get;
    expect(JSON.stringify(parameters)).toContain(`desired_${role}s`);
    expect(member(scaled, "spec.minReplicaCount")).toBeGreaterThan(0);
    expect(member(scaled, "spec.fallback.behavior")).toBe("currentReplicas");
  }
});

test("the coordinator may scale the three Deployments, streamers may list pods, and nothing else may call the Kubernetes API", () => {
  const rules = (objects: typeof trial): unknown =>
    objects.flatMap((object) =>
      /Role$/.test(object.kind) ? [[object.kind, object.metadata.namespace, member(object, "rules")]] : [],
    );
  const set = ["autoscaling.mode=coordinator,nexusStreamer.exporters.discovery.enabled=true"];
  const scaling = renderChart({ files: ["values-nexus.yaml"], set });
  const pods = [{ apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"] }];
  const names = ["streamer", "collector", "gateway"].map((role) => `telemetry-pipeline-nexus-${role}`);
  const scale = {
    apiGroups: ["apps"],
    resources: ["deployments/scale"],
    resourceNames: names,
    verbs: ["get", "patch"],
  };
  expect(rules(scaling)).toEqual([
    ["ClusterRole", undefined, pods],
    ["Role", "telemetry-system", [scale]],
  ]);
  expect(rules(full)).toEqual([["Role", "gpu-operator", pods]]);
  expect([rules(trial), rules(production)]).toEqual([[], []]);
  const workloads = ["streamer", "collector", "gateway"].map((role) => `SCALING_${role.toUpperCase()}_WORKLOAD`);
  expect(Object.values(settingsOf(scaling, "coordinator", workloads))).toEqual(
    names.map((name) => `deployment/${name}`),
  );
  expect(settingsOf(trial, "coordinator", ["EXECUTOR", ...workloads])).toEqual({ EXECUTOR: "none" });
});

test("migrations run before an upgrade, with a command that the image has, and leave nothing behind", () => {
  const job = objectOf(production, "Job", "migrations");
  const hooks = production.filter((each) => each.metadata.annotations?.["helm.sh/hook"] !== undefined);
  expect(hooks.map(({ kind }) => kind).sort()).toEqual(["Job", "NetworkPolicy", "ServiceAccount"]);
  for (const { metadata: each } of hooks) {
    expect(each.annotations).toMatchObject({
      "helm.sh/hook": "pre-install,pre-upgrade",
      "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    });
  }
  // what the Job needs comes first
  expect(Number(job.metadata.annotations?.["helm.sh/hook-weight"])).toBe(0);
  const { command } = containerOf(job);
  expect(command).toEqual(["bun", "scripts/db-migrate.ts"]);
  expect(readFileSync(join(root, "Dockerfile"), "utf8")).toMatch(/^COPY .*scripts\/db-migrate\.ts .*\.\/scripts\/$/m);
  expect(trial.filter(({ kind }) => kind === "Job")).toEqual([]);
});

test("a CSV comes from a ConfigMap or a claim, and streamers follow a claim that one node can attach", () => {
  const render = (set: string) =>
    podOf(deploymentOf(renderChart({ files: ["values-nexus.yaml"], set: [set] }), "streamer"));
  const configMap = render("nexusStreamer.csv.configMap=fleet,nexusStreamer.csv.file=fleet.csv");
  expect(configMap.containers.flatMap((each) => envOf(each)["CSV_FILE"])).toEqual(["/csv/fleet.csv"]);
  expect(configMap.volumes).toContainEqual({ name: "csv", configMap: { name: "fleet" } });
  expect(configMap.affinity).toBeUndefined();
  const claim = render("nexusStreamer.csv.existingClaim=fleet");
  expect(claim.volumes).toContainEqual({ name: "csv", persistentVolumeClaim: { claimName: "fleet", readOnly: true } });
  expect(JSON.stringify(claim.affinity)).toContain(
    '"requiredDuringSchedulingIgnoredDuringExecution":[{"topologyKey":"kubernetes.io/hostname"',
  );
});

describe("the alerts", () => {
  test("ask for metrics that the program has, in this namespace", () => {
    const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(root, "src", name), "utf8"))
      .join("\n");
    const { groups } = objectOf(full, "PrometheusRule", "rules").spec as {
      readonly groups: readonly { readonly rules: readonly { readonly expr: string }[] }[];
    };
    const rules = groups.flatMap(({ rules: each }) => each);
    expect(rules.length).toBeGreaterThan(5);
    for (const { expr } of rules) {
      const [, metric = ""] = /(telemetry_\w+)\{namespace="telemetry-system"/.exec(expr) ?? [];
      expect([expr, sources.includes(`"${metric}"`) && metric !== ""]).toEqual([expr, true]);
    }
  });
});
