import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { csvClaim, csvConfigMap, csvLoader } from "../../scripts/kubernetes/csv-objects.ts";
import { chartTool } from "./chart-tools.ts";
import { problemsOf } from "./object-problems.ts";
import { restrictedProblems } from "./pod-problems.ts";
import { type KubernetesObject, member, type Pod } from "./render-chart.ts";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "telemetry-kubernetes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that notes how it was called and what it could read, and answers as a cluster would. Commands in the loader's pod run
 *  here, with a folder for its volume. */
const standIn = (name: string, answers: string): string => `#!/bin/sh
printf '%s' ${name} >> "$NOTES"
for arg in "$@"; do printf '\\t%s' "$arg" | tr '\\n' ' ' >> "$NOTES"; last=$arg; done
echo >> "$NOTES"
case "$*" in
${answers}
esac
`;

interface Call {
  readonly code: number;
  readonly errors: string;
  readonly output: string;
  /** The calls of kubectl and helm, each with its arguments, but for the question which cluster kubectl uses. */
  readonly calls: readonly (readonly string[])[];
  /** What was applied. */
  readonly applied: readonly KubernetesObject[];
  readonly volume: string;
}

/** Types a command on a machine whose kubectl and helm are stand-ins.
 *  @param answers cases of a shell for kubectl, before those that all tests need */
function type(
  command: string,
  env: Readonly<Record<string, string>> = {},
  { answers = "", helmVersion = "v4.1.4" } = {},
): Call {
  const place = mkdtempSync(join(folder, "run-"));
  const [bin, volume, notes, applied] = ["bin", "volume", "notes", "applied"].map((each) => join(place, each)) as [
    string,
    string,
    string,
    string,
  ];
  mkdirSync(bin);
  mkdirSync(volume);
  const kubectl = `${answers}
*apply*) cat >> "$APPLIED"; echo >> "$APPLIED";;
*exec*) sh -c "$(echo "$last" | sed "s|/csv/|$VOLUME/|g")";;`;
  for (const [name, cases] of [
    ["kubectl", kubectl],
    ["helm", `version*) echo ${helmVersion};;`],
  ] as const) {
    writeFileSync(join(bin, name), standIn(name, cases));
    chmodSync(join(bin, name), 0o755);
  }
  const {
    exitCode: code,
    stdout,
    stderr,
  } = Bun.spawnSync([process.execPath, "run", "--silent", command], {
    cwd: root,
    env: { PATH: `${bin}:/usr/bin:/bin`, NOTES: notes, APPLIED: applied, VOLUME: volume, ...env },
  });
  const lines = (path: string): string[] => (existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : []);
  return {
    ...{ code, errors: stderr.toString(), output: stdout.toString(), volume },
    calls: lines(notes)
      .map((line) => line.split("\t"))
      .filter(([, verb]) => verb !== "config"),
    applied: lines(applied).map((line) => JSON.parse(line) as KubernetesObject),
  };
}

const upgrades = ({ calls }: Call): readonly (readonly string[])[] =>
  calls.filter(([tool, verb]) => tool === "helm" && verb === "upgrade");

test("k8s-deploy-nexus installs the chart with the numbers and the registry that it is given, as helm accepts them", () => {
  const env = {
    NAMESPACE: "telemetry-prod",
    STREAMER_INSTANCES: "5",
    COLLECTOR_INSTANCES: "3",
    API_GW_INSTANCES: "2",
    DOCKER_REGISTRY: "your-registry.com",
  };
  const call = type("k8s-deploy-nexus", env);
  expect([call.code, call.errors]).toEqual([0, ""]);
  const [[, ...args] = []] = upgrades(call);
  expect(args.slice(0, 3)).toEqual(["upgrade", "--install", "telemetry-pipeline"]);
  // otherwise helm upgrade stops at a number that kubectl scale has set
  expect(args).toContain("--server-side=false");
  // the flags are those of helm upgrade, and the values make these objects
  const known = Bun.spawnSync([chartTool("helm"), "upgrade", "--help"]).stdout.toString();
  for (const flag of args.filter((each) => each.startsWith("--")))
    expect([flag, known.includes(flag.split("=")[0] ?? "")]).toEqual([flag, true]);
  const values = args.flatMap((each, index) =>
    ["--set", "--set-string", "--values", "--namespace"].includes(each) ? [each, args[index + 1] ?? ""] : [],
  );
  const rendered = Bun.spawnSync([chartTool("helm"), "template", "telemetry-pipeline", args[3] ?? "", ...values]);
  expect([...rendered.stdout.toString().matchAll(/^ {2}replicas: (\d)$/gm)].map(([, count]) => count)).toEqual([
    "3",
    "1",
    "2",
    "5",
    "1",
    "3",
  ]);
  expect(rendered.stdout.toString()).toContain("image: your-registry.com/gpu-telemetry-pipeline:");
  expect(rendered.stdout.toString()).not.toContain("namespace: telemetry-system");
});

test("helm 3 is not given the flags of helm 4", () => {
  expect(upgrades(type("k8s-deploy-nexus", {}, { helmVersion: "v3.19.0+g3d8990f" }))[0]).not.toContain(
    "--server-side=false",
  );
});

const [pipe, empty, large] = ["pipe", "empty.csv", "above-1Mi.csv"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
Bun.spawnSync(["mkfifo", pipe]);
writeFileSync(empty, "");
writeFileSync(large, "x".repeat(1024 ** 2 + 1));

test.each([
  [
    "k8s-deploy-nexus",
    { PATH: "/nowhere" },
    "kubectl and helm are not installed, or not in PATH: https://kubernetes.io/docs/tasks/tools/ and",
  ],
  ["k8s-status-nexus", { PATH: "/nowhere" }, "kubectl is not installed, or not in PATH"],
  ["k8s-deploy-nexus", { STREAMER_INSTANCES: "many" }, "STREAMER_INSTANCES=many is not usable"],
  ["k8s-logs-nexus", { NAMESPACE: "Not A Name" }, "NAMESPACE=Not A Name is not usable"],
  ["csv-deploy-configmap", {}, "which file? For example: CSV_FILE=fleet.csv make csv-deploy-configmap"],
  ["csv-deploy-pvc", {}, "which file? For example: CSV_FILE=fleet.csv make csv-deploy-pvc"],
  ["csv-deploy-configmap", { CSV_FILE: "nowhere.csv" }, "CSV_FILE=nowhere.csv does not exist"],
  ["csv-deploy-configmap", { CSV_FILE: "bun.lock", SIZE: "5Gi" }, undefined],
  ["csv-deploy-configmap", { CSV_FILE: "test" }, "CSV_FILE=test does not exist, or is no file"],
  ["csv-deploy-pvc", { CSV_FILE: pipe }, `CSV_FILE=${pipe} does not exist, or is no file`],
  ["csv-deploy-pvc", { CSV_FILE: empty }, `CSV_FILE=${empty} is empty`],
  ["csv-deploy-pvc", { CSV_FILE: large, SIZE: "1Mi" }, `SIZE=1Mi is too small: CSV_FILE=${large} has 1048577 bytes`],
  ["k8s-deploy-nexus", { TIMEOUT: "10" }, "TIMEOUT=10 is not usable: expected a time with its unit"],
  ["k8s-deploy-nexus", { IMAGE_TAG: "a,image.registry=b" }, "IMAGE_TAG=a,image.registry=b is not usable"],
  [
    "k8s-deploy-nexus",
    { DOCKER_REGISTRY: "https://b/gpu" },
    "DOCKER_REGISTRY=https://b/gpu is not usable: expected a host",
  ],
  ["docker-build-nexus", { IMAGE_TAG: "a b" }, "IMAGE_TAG=a b is not usable"],
  ["docker-build-nexus", { DOCKER_REGISTRY: "b/GPU" }, "DOCKER_REGISTRY=b/GPU is not usable"],
  ["k8s-port-forward", { PORT: "--address=0.0.0.0" }, "PORT=--address=0.0.0.0 is not usable: expected a port"],
  ["k8s-port-forward", { PORT: "65536" }, "PORT=65536 is not usable"],
  [
    "csv-deploy-pvc",
    { CSV_FILE: "package.json", SIZE: "5GB" },
    "SIZE=5GB is not usable: expected a whole number with Mi, Gi or Ti",
  ],
] as const)("%s with %o", (command, env, sentence) => {
  const { code, errors, calls } = type(command, env);
  if (sentence === undefined) return expect([code, errors]).toEqual([0, ""]);
  expect([code, calls]).toEqual([1, []]);
  expect(errors).toStartWith(sentence);
  expect(errors.trim().split("\n").length).toBe(1);
});

test("csv-deploy-configmap makes a ConfigMap of the file, and lets the streamers read it", async () => {
  const path = join(folder, "fleet.csv");
  writeFileSync(path, "timestamp,value\n1,2\n");
  const call = type("csv-deploy-configmap", { CSV_FILE: path });
  expect([call.code, call.errors]).toEqual([0, ""]);
  const [configMap] = call.applied as unknown as readonly [{ readonly binaryData: Record<string, string> }];
  expect(atob(configMap.binaryData["telemetry.csv"] ?? "")).toBe("timestamp,value\n1,2\n");
  const set = upgrades(call)[0]?.filter((each) => each.startsWith("nexusStreamer.csv"));
  expect(set?.slice(0, 3)).toEqual(
    ["configMap=telemetry-pipeline-csv", "existingClaim=", "file=telemetry.csv"].map(
      (each) => `nexusStreamer.csv.${each}`,
    ),
  );
  expect(set?.[3]).toMatch(/^nexusStreamer\.csv\.checksum=[0-9a-f]{64}$/);

  await Bun.write(path, "x".repeat(1_000_001));
  const large = type("csv-deploy-configmap", { CSV_FILE: path });
  expect([large.code, large.calls]).toEqual([1, []]);
  expect(large.errors).toContain(
    "has 1000001 bytes, and a ConfigMap takes 1000000: make csv-deploy-pvc puts it into a volume",
  );
});

test("csv-deploy-pvc copies the file into a volume, checks it, and removes the pod that received it", () => {
  const path = join(folder, "large.csv");
  writeFileSync(path, "a,b\n".repeat(500_000));
  const call = type("csv-deploy-pvc", { CSV_FILE: path, SIZE: "5Gi" });
  expect([call.code, call.errors]).toEqual([0, ""]);
  expect(readFileSync(join(call.volume, "telemetry.csv"), "utf8")).toBe("a,b\n".repeat(500_000));
  expect(call.applied.map(({ kind }) => kind)).toEqual(["PersistentVolumeClaim", "Pod"]);
  expect(member(call.applied[0], "spec.resources.requests.storage")).toBe("5Gi");
  const verbs = call.calls.map(([tool, ...args]) => `${tool} ${args.find((each) => !each.startsWith("-"))}`);
  expect(verbs.slice(-5)).toEqual(["kubectl wait", "kubectl exec", "kubectl delete", "helm version", "helm upgrade"]);
  expect(upgrades(call)[0]).toContain("nexusStreamer.csv.existingClaim=telemetry-pipeline-csv");

  // the copy fails: the streamers keep what they have
  const failing = type("csv-deploy-pvc", { CSV_FILE: path }, { answers: "*exec*) cat > /dev/null; exit 1;;" });
  expect([failing.code, upgrades(failing)]).toEqual([1, []]);
  expect(failing.calls.at(-1)?.slice(1, 2)).toEqual(["delete"]);
  expect(failing.errors).toContain(
    "the file could not be copied to the volume. The streamers read what they have read",
  );

  // the pod that receives it never starts
  const status = { phase: "Pending", conditions: [{ status: "False", message: "0/3 nodes are available" }] };
  const answers = `*wait*) exit 1;;\n*json*) echo '${JSON.stringify({ status })}';;`;
  const waiting = type("csv-deploy-pvc", { CSV_FILE: path }, { answers });
  expect([waiting.code, upgrades(waiting)]).toEqual([1, []]);
  expect(waiting.errors).toContain(
    "which receives the file, is not ready: 0/3 nodes are available. The streamers read",
  );
});

test("the objects of a CSV are valid, and its pod fits Pod Security restricted", async () => {
  const pod = csvLoader("telemetry-system", "gpu-telemetry-pipeline:0.1.0") as KubernetesObject;
  const objects = [
    pod,
    csvClaim("telemetry-system", "5Gi", "fast"),
    csvConfigMap("telemetry-system", new Uint8Array([1])),
  ];
  for (const object of objects) expect(await problemsOf(object as KubernetesObject)).toEqual([]);
  expect(restrictedProblems(pod.spec as Pod)).toEqual([]);
});

test("without a cluster, each command says so, and asks no other server", () => {
  for (const command of ["k8s-deploy-nexus", "k8s-status-nexus", "k8s-logs-nexus", "k8s-undeploy-nexus"]) {
    const { code, errors, calls } = type(command, {}, { answers: "*current-context*) exit 1;;" });
    expect([code, calls]).toEqual([1, []]);
    expect(errors).toStartWith("kubectl has no cluster: name the file of its configuration in KUBECONFIG");
  }
  const inPod = type(
    "k8s-undeploy-nexus",
    { KUBERNETES_SERVICE_HOST: "10.96.0.1" },
    { answers: "*current-context*) exit 1;;" },
  );
  expect([inPod.code, inPod.calls.length]).toEqual([0, 2]);
});

test("k8s-status-nexus names what is not ready, and exits with 1", () => {
  const item = (name: string, ready: number) => ({
    kind: "Deployment",
    metadata: { name },
    spec: { replicas: 2 },
    status: { readyReplicas: ready },
  });
  const answer = (...items: readonly object[]) => ({ answers: `*json*) echo '${JSON.stringify({ items })}';;` });
  const unready = type("k8s-status-nexus", {}, answer(item("streamer", 2), item("collector", 1)));
  expect([unready.code, unready.errors.trim()]).toEqual([1, "Deployment collector: 1 of 2 pods are ready"]);
  expect(type("k8s-status-nexus", {}, answer(item("streamer", 2))).code).toBe(0);
  expect(type("k8s-status-nexus", {}, answer()).errors).toContain("nothing is deployed here");
});

test("k8s-port-forward, k8s-logs-nexus and k8s-undeploy-nexus call the tools for this release", () => {
  const pods = (...items: readonly object[]) => ({ answers: `*json*) echo '${JSON.stringify({ items })}';;` });
  const running = pods({ status: { phase: "Pending" } }, { status: { phase: "Running" } });
  const forward = type("k8s-port-forward", { NAMESPACE: "lab", PORT: "9090" }, running);
  expect(forward.calls.slice(1)).toEqual([
    ["kubectl", "port-forward", "service/telemetry-pipeline-nexus-gateway", "9090:8080", "--namespace", "lab"],
  ]);
  expect(type("k8s-logs-nexus", {}, running).calls[1]).toContain("app.kubernetes.io/instance=telemetry-pipeline");
  const waiting = { state: { waiting: { reason: "ImagePullBackOff", message: "no such image" } } };
  const pulling = pods({ status: { phase: "Pending", containerStatuses: [waiting] } });
  for (const command of ["k8s-port-forward", "k8s-logs-nexus"]) {
    expect(type(command, {}, pods()).errors).toBe(
      "nothing is deployed here: make k8s-deploy-nexus deploys the pipeline\n",
    );
    const { code, errors } = type(command, {}, pulling);
    expect(code).toBe(1);
    expect(errors).toBe(
      "no pod has started yet; the first one: ImagePullBackOff: no such image. make k8s-status-nexus shows them all\n",
    );
  }
  const [kept, deleted] = [type("k8s-undeploy-nexus"), type("k8s-undeploy-nexus", { DELETE_DATA: "true" })];
  expect([kept.code, deleted.code]).toEqual([0, 0]);
  expect(kept.calls[0]?.slice(0, 3)).toEqual(["helm", "uninstall", "telemetry-pipeline"]);
  expect([kept.output.includes("DELETE_DATA=true"), kept.calls.length, deleted.calls.length]).toEqual([true, 2, 3]);
  expect(deleted.calls[2]).toContain("persistentvolumeclaims,secrets,jobs");
});
