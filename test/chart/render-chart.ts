import { parseAllDocuments } from "yaml";
import { chartFolder } from "../../scripts/chart/chart-folder.ts";
import { chartTool } from "./chart-tools.ts";

/** A part of an object of Kubernetes, as far as the tests look at it. */
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: object;
  readonly resources: object;
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string | number; readonly scheme?: string };
  readonly tcpSocket?: object;
  readonly exec?: object;
}

export interface Pod {
  readonly containers: readonly Container[];
  readonly securityContext: object;
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly affinity?: object;
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
}

/** An object of Kubernetes. The members of `spec` depend on its kind. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

/** How the chart is rendered. */
export interface Rendering {
  /** Files of values, relative to the chart's folder. */
  readonly files?: readonly string[];
  /** Values as `--set` has them. */
  readonly set?: readonly string[];
}

/** Runs helm with the chart.
 *  @param command such as `template`, with what stands before the chart */
export function helm(
  command: readonly string[],
  { files = [], set = [] }: Rendering,
): { readonly code: number; readonly output: string; readonly errors: string } {
  const values = [
    ...files.flatMap((file) => ["--values", `${chartFolder}/${file}`]),
    ...set.flatMap((each) => ["--set", each]),
  ];
  const { exitCode: code, stdout, stderr } = Bun.spawnSync([chartTool("helm"), ...command, chartFolder, ...values]);
  return { code, output: stdout.toString(), errors: stderr.toString() };
}

/** The objects that the chart makes of these values, and the notes.
 *  @throws Error with what helm says */
export function renderChart(rendering: Rendering): readonly KubernetesObject[] {
  const command = ["template", "telemetry-pipeline", "--namespace", "telemetry-system"];
  const { code, output, errors } = helm(command, rendering);
  if (code !== 0) throw new Error(errors);
  return objectsIn(output);
}

/** The objects in what `helm template` prints. */
export function objectsIn(output: string): readonly KubernetesObject[] {
  return parseAllDocuments(output).flatMap((document) => (document.toJS() as KubernetesObject | null) ?? []);
}

/** The object of this kind with the name `telemetry-pipeline-END`.
 *  @throws Error unless exactly one object has this name */
export function objectOf(objects: readonly KubernetesObject[], kind: string, end: string): KubernetesObject {
  const found = objects.filter((each) => each.kind === kind && each.metadata.name === `telemetry-pipeline-${end}`);
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} objects ${kind} ${end}`);
  return found[0];
}

/** The value at a path within an object, such as spec.template.spec; undefined if the path leads nowhere. */
export function member(object: unknown, path: string): unknown {
  return path.split(".").reduce((each, key) => (each as Record<string, unknown> | undefined)?.[key], object);
}

/** A pod as its workload makes it. */
export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: Pod;
}

/** The pods that an object makes; undefined if it makes none. */
export function templateOf(object: KubernetesObject): PodTemplate | undefined {
  const path = object.kind === "CronJob" ? "spec.jobTemplate.spec.template" : "spec.template";
  return member(object, path) as PodTemplate | undefined;
}

/** The pod of a workload; its only container comes first.
 *  @throws Error if the object makes no pods */
export function podOf(object: KubernetesObject): Pod {
  const template = templateOf(object);
  if (template === undefined) throw new Error(`${object.kind} makes no pods`);
  return template.spec;
}

/** The container of a workload.
 *  @throws Error if there is none */
export function containerOf(object: KubernetesObject): Container {
  const [container] = podOf(object).containers;
  if (container === undefined) throw new Error(`${object.kind} ${object.metadata.name} has no container`);
  return container;
}

/** All pods that the objects make, each with the component that it belongs to. */
export function podsOf(
  objects: readonly KubernetesObject[],
): readonly { readonly component: string; readonly pod: Pod }[] {
  return objects.flatMap((object) => {
    const template = templateOf(object);
    if (template === undefined) return [];
    return [{ component: template.metadata.labels["app.kubernetes.io/component"] ?? "", pod: template.spec }];
  });
}

/** The variables of a container that have a value. */
export function envOf({ env = [] }: Container): Readonly<Record<string, string>> {
  return Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
}
