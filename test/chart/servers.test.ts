import { expect, setDefaultTimeout, test } from "bun:test";
import { parse } from "yaml";
import { type Container, containerOf, member, objectOf, renderChart, templateOf } from "./render-chart.ts";

setDefaultTimeout(60_000);

const trial = renderChart({ files: ["values-nexus.yaml"] });
const production = renderChart({ files: ["values-production.yaml"] });

/** The flags of a command, by their names. */
const flagsOf = ({ command = [] }: Container): Record<string, string> =>
  Object.fromEntries(command.slice(1).map((flag) => flag.slice(2).split(/=(.*)/s).slice(0, 2) as [string, string]));

test("etcd's members know each other by names that last, and keep as little in memory as those of compose.yaml", async () => {
  const flags = flagsOf(containerOf(objectOf(trial, "StatefulSet", "etcd")));
  const host = "telemetry-pipeline-etcd.telemetry-system.svc";
  const peers = [0, 1, 2].map(
    (each) => `telemetry-pipeline-etcd-${each}=http://telemetry-pipeline-etcd-${each}.${host}:2380`,
  );
  expect(flags).toMatchObject({
    name: "$(POD_NAME)",
    "initial-cluster": peers.join(","),
    "initial-cluster-state": "new",
    "initial-advertise-peer-urls": `http://$(POD_NAME).${host}:2380`,
    "advertise-client-urls": `http://$(POD_NAME).${host}:2379`,
    "quota-backend-bytes": String(8 * 1024 ** 3),
  });
  const compose = parse(await Bun.file(`${import.meta.dir}/../../compose.yaml`).text(), { merge: true }) as {
    readonly services: { readonly etcd: { readonly environment: Readonly<Record<string, string>> } };
  };
  const same = ["quota-backend-bytes", "snapshot-count", "experimental-snapshot-catchup-entries", "log-level"];
  for (const name of same) {
    const composed = compose.services.etcd.environment[`ETCD_${name.toUpperCase().replaceAll("-", "_")}`];
    expect([name, flags[name]]).toEqual([name, composed]);
  }
  // the program compacts etcd
  expect(Object.keys(flags).filter((name) => name.startsWith("auto-compaction"))).toEqual([]);
});

test("with TLS, etcd's members and clients show certificates to each other", () => {
  const flags = flagsOf(containerOf(objectOf(production, "StatefulSet", "etcd")));
  const tls = Object.entries(flags).filter(([name]) => /cert|ca-file|key-file/.test(name));
  expect(Object.fromEntries(tls)).toEqual({
    ...{ "client-cert-auth": "true", "peer-client-cert-auth": "true" },
    ...{ "trusted-ca-file": "/run/etcd-tls/ca.crt", "peer-trusted-ca-file": "/run/etcd-tls/ca.crt" },
    ...{ "cert-file": "/run/etcd-tls/tls.crt", "peer-cert-file": "/run/etcd-tls/tls.crt" },
    ...{ "key-file": "/run/etcd-tls/tls.key", "peer-key-file": "/run/etcd-tls/tls.key" },
  });
  expect(
    Object.entries(flags).filter(([name, value]) => name !== "listen-metrics-urls" && /http:/.test(value)),
  ).toEqual([]);
  const { command = [] } = containerOf(objectOf(production, "CronJob", "etcd-defragmentation"));
  expect(command[0]).toBe("/usr/local/bin/etcdctl");
  expect(command).toContain("--cert=/run/etcd-tls/tls.crt");
  expect(command.at(-1)).toBe("defrag");
});

test("etcd starts all members at once, and a drained node takes one of them at most", () => {
  const etcd = objectOf(trial, "StatefulSet", "etcd");
  expect(etcd.spec).toMatchObject({ podManagementPolicy: "Parallel", replicas: 3 });
  expect(objectOf(trial, "Service", "etcd").spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
  for (const end of ["etcd", "nexus-gateway", "nexus-collector"]) {
    const budget = objectOf(trial, "PodDisruptionBudget", end).spec as object;
    expect([end, budget]).toEqual([end, expect.objectContaining({ maxUnavailable: 1 })]);
    expect(budget).not.toHaveProperty("minAvailable");
  }
  const claim = "spec.volumeClaimTemplates.0.spec.resources.requests.storage";
  expect(member(etcd, claim)).toBe("10Gi");
  expect(member(objectOf(production, "StatefulSet", "etcd"), claim)).toBe("20Gi");
});

test("a new version of the chart alone restarts no pod", () => {
  for (const object of trial) {
    const labels = Object.keys(templateOf(object)?.metadata.labels ?? {});
    expect([object.metadata.name, labels.filter((name) => /chart|version/.test(name))]).toEqual([
      object.metadata.name,
      [],
    ]);
  }
});

test("the trial database has a random password, which stays with its volume", () => {
  const [first, second] = [trial, renderChart({ files: ["values-nexus.yaml"] })].map((objects) => {
    const { data = {}, metadata } = objectOf(objects, "Secret", "database");
    expect(metadata.annotations).toEqual({ "helm.sh/resource-policy": "keep" });
    const [password = "", url] = [data["password"], data["url"]].map((text = "") => atob(text));
    expect(url).toBe(`postgres://postgres:${password}@telemetry-pipeline-database:5432/telemetry`);
    expect(password).toMatch(/^[A-Za-z0-9]{40}$/);
    return password;
  });
  expect(first).not.toBe(second);
  const key = atob(objectOf(trial, "Secret", "first-key").data?.["first-key"] ?? "");
  expect(key).toMatch(/^gtp_first_[A-Za-z0-9]{48}$/);
  expect(production.filter(({ kind }) => kind === "Secret")).toEqual([]);
});

interface Rule {
  readonly ports?: readonly { readonly port: number }[];
  readonly to?: readonly { readonly podSelector?: object }[];
  readonly from?: readonly object[];
}

/** What a policy lets out or in: ports, each with @pod if only pods of the release are meant. */
function allowed(end: string, objects: typeof trial, side: "egress" | "ingress"): string[] {
  const rules = (member(objectOf(objects, "NetworkPolicy", end), `spec.${side}`) ?? []) as readonly Rule[];
  return rules.flatMap(({ ports = [], to, from }) =>
    ports.map(({ port }) => `${port}${(to ?? from) === undefined ? "" : "@pod"}`),
  );
}

test.each([
  ["nexus-streamer", [], ["53", "53", "2379@pod"], []],
  ["nexus-collector", [], ["53", "53", "2379@pod", "5432@pod"], ["5432"]],
  ["nexus-gateway", ["8080"], ["53", "53", "2379@pod", "5432@pod"], ["5432"]],
  ["nexus-coordinator", [], ["53", "53", "2379@pod", "5432@pod"], ["5432"]],
  ["etcd", ["2379@pod", "2380@pod"], ["53", "53", "2380@pod"], []],
  ["etcd-defragmentation", [], ["53", "53", "2379@pod"], []],
] as const)("%s connects to what it needs, and nothing else", (end, ingress, egress, outside) => {
  expect(member(objectOf(trial, "NetworkPolicy", end), "spec.policyTypes")).toEqual(["Ingress", "Egress"]);
  expect([allowed(end, trial, "ingress"), allowed(end, trial, "egress")]).toEqual([[...ingress], [...egress]]);
  // a database outside the cluster
  const expected = egress.map((each) => (each === "5432@pod" ? outside[0] : each));
  expect(allowed(end, production, "egress")).toEqual(expected as string[]);
});

test("Prometheus alone reads metrics, and streamers reach exporters only if they have any", () => {
  const objects = renderChart({
    files: ["values-production.yaml", "examples/keys.yaml", "examples/dcgm-exporter.yaml"],
  });
  expect(allowed("nexus-streamer", objects, "ingress")).toEqual(["8080@pod"]);
  expect(allowed("nexus-streamer", objects, "egress")).toEqual(["53", "53", "2379@pod", "9400", "443", "6443"]);
  expect(allowed("etcd", objects, "ingress")).toContain("2381@pod");
  expect(allowed("database", trial, "ingress")).toEqual(["5432@pod"]);
  expect(allowed("migrations", production, "egress")).toEqual(["53", "53", "5432"]);
});
