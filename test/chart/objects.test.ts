import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { chartFolder } from "../../scripts/chart/chart-folder.ts";
import { problemsOf } from "./object-problems.ts";
import { referenceProblems } from "./reference-problems.ts";
import { helm, type KubernetesObject, objectsIn, podsOf, renderChart } from "./render-chart.ts";
import { everything, renderings } from "./renderings.ts";
import { restrictedProblems, settingProblems } from "./pod-problems.ts";

setDefaultTimeout(60_000);

test.each(renderings)("objects and pods are sound with %s", async (_, rendering) => {
  const objects = renderChart(rendering);
  const problems: string[] = [];
  for (const object of objects) {
    const { kind, metadata } = object;
    problems.push(...(await problemsOf(object)).map((each) => `${kind} ${metadata.name}: ${each}`));
  }
  for (const { component, pod } of podsOf(objects)) {
    problems.push(
      ...[...restrictedProblems(pod), ...settingProblems(component, pod)].map((each) => `${component}: ${each}`),
    );
  }
  expect([...problems, ...referenceProblems(objects)]).toEqual([]);
  expect(objects.length).toBeGreaterThan(12);
});

// YAML takes 123, 1e3 and true for numbers and booleans, which Kubernetes refuses where it expects a name
test.each(["123", "1e3", "true", "null"])(
  "names are texts for a release, a namespace and values named %s",
  async (odd) => {
    const secret =
      "database.existingSecret,nexusStreamer.priorityClassName,etcd.persistence.storageClass,nameOverride,access.key";
    const more =
      "nexusStreamer.csv.configMap,database.urlKey,database.caKey,nexusGateway.tls.existingSecret,serviceMonitor.key";
    const values = [...secret.split(","), ...more.split(",")].flatMap((name) => ["--set-string", `${name}=${odd}`]);
    const set = ["fullnameOverride=gpus,serviceMonitor.enabled=true,serviceMonitor.keySecret=key"];
    const { errors, output } = helm(["template", odd, "--namespace", odd, ...values], { set });
    expect(errors).toBe("");
    const problems: string[] = [];
    for (const object of objectsIn(output)) {
      const { namespace, labels } = object.metadata;
      problems.push(...(await problemsOf(object)).map((each) => `${object.kind} ${object.metadata.name}: ${each}`));
      expect([namespace, labels?.["app.kubernetes.io/instance"]]).toEqual([odd, odd]);
    }
    expect(problems).toEqual([]);
  },
);

test("there are 30 renderings, and they have every values file, example and kind", () => {
  const files = [
    "values-nexus.yaml",
    "values-production.yaml",
    ...readdirSync(`${chartFolder}/examples`).map((name) => `examples/${name}`),
  ];
  const used = new Set(renderings.flatMap(([, { files: each = [] }]) => each));
  expect([...used].sort()).toEqual(files.sort());
  expect(renderings.length).toBeGreaterThanOrEqual(30);
});

test("helm lint --strict accepts the chart with every values file", () => {
  const external = ["database.existingSecret=telemetry-database"];
  for (const rendering of [
    { set: external },
    { files: ["values-nexus.yaml"] },
    { files: ["values-production.yaml"] },
    everything,
  ]) {
    const { code, output, errors } = helm(["lint", "--strict"], rendering);
    expect(output).toContain("0 chart(s) failed");
    expect([code, errors]).toEqual([0, ""]);
  }
});

describe("a misspelt key", () => {
  /** Objects in which any key may stand. */
  const maps = /(?:[lL]abels|annotations|selector|limits|requests|data|triggers\/\d+\/metadata)$/;

  test("anywhere in any object is found, except in maps", async () => {
    const objects = renderChart(everything);
    const missed: string[] = [];
    let tried = 0;
    for (const object of objects) {
      for (const path of keysIn(object, [])) {
        const problems = await problemsOf(misspelt(object, path));
        tried += 1;
        if (problems.length === 0 && !maps.test(path.slice(0, -1).join("/")))
          missed.push(`${object.kind} ${path.join("/")}`);
      }
    }
    expect(missed).toEqual([]);
    expect(tried).toBeGreaterThan(2000);
  });
});

/** The paths of all keys but apiVersion and kind, by which an object is recognised. */
function keysIn(value: unknown, path: readonly string[]): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => {
    const own = [...path, key];
    const isKey = !Array.isArray(value) && !["apiVersion", "kind"].includes(own.join("/"));
    return [...(isKey ? [own] : []), ...keysIn(each, own)];
  });
}

/** A copy of the object with one letter more in a key. */
function misspelt(object: KubernetesObject, path: readonly string[]): KubernetesObject {
  const copy: unknown = structuredClone(object);
  const last = path.at(-1) ?? "";
  const parent = path.slice(0, -1).reduce((each, step) => (each as Record<string, unknown>)[step], copy);
  const { [last]: value, ...others } = parent as Record<string, unknown>;
  for (const key of Object.keys(parent as object)) delete (parent as Record<string, unknown>)[key];
  Object.assign(parent as object, others, { [`${last}x`]: value });
  return copy as KubernetesObject;
}
