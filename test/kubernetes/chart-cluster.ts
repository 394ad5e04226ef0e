import { dirname, join } from "node:path";
import { chartFolder } from "../../scripts/chart/chart-folder.ts";
import { chartTool } from "../chart/chart-tools.ts";
import { type Container, containerOf, type KubernetesObject } from "../chart/render-chart.ts";
import type { Administrator } from "./administrator.ts";

/** How a command ended. */
export interface Ended {
  readonly code: number;
  /** Standard output and standard error. */
  readonly output: string;
}

interface Kind {
  readonly name: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
}

const root = join(import.meta.dir, "../..");
const release = "telemetry-pipeline";

/** A namespace in which Pod Security `restricted` is enforced, with the tools of a person who installs the chart. */
export class ChartCluster {
  private constructor(
    readonly api: Administrator,
    readonly namespace: string,
  ) {}

  /** @param namespace a new one */
  static async open(api: Administrator, namespace: string): Promise<ChartCluster> {
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    await api.call("POST", "/api/v1/namespaces", { metadata: { name: namespace, labels } });
    return new ChartCluster(api, namespace);
  }

  /** Runs a command in the checkout, with helm and kubectl in its path. */
  async run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const tools = [chartTool("helm"), chartTool("kubectl")].map((path) => dirname(path));
    const path = [...tools, dirname(process.execPath), "/usr/bin", "/bin"].join(":");
    const { kubeconfigFile } = this.api.plane;
    const child = Bun.spawn([...command], {
      ...{ cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      env: { HOME: dirname(kubeconfigFile), PATH: path, KUBECONFIG: kubeconfigFile, NAMESPACE: this.namespace, ...env },
    });
    const texts = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { code: await child.exited, output: texts.join("") };
  }

  /** @param args such as `install`; those that name the chart and its values are not in it
   *  @throws Error with what helm says, if it fails */
  async helm(args: readonly string[], values: readonly string[] = []): Promise<string> {
    const ended = await this.tryHelm(args, values);
    if (ended.code !== 0) throw new Error(ended.output);
    return ended.output;
  }

  tryHelm([verb = "", ...args]: readonly string[], values: readonly string[] = []): Promise<Ended> {
    const chart = ["install", "upgrade"].includes(verb) ? [chartFolder] : [];
    const files = values.flatMap((each) =>
      each.endsWith(".yaml") ? ["--values", join(chartFolder, each)] : ["--set", each],
    );
    return this.run(["helm", verb, release, ...chart, "--namespace", this.namespace, ...files, ...args]);
  }

  /** The object of this name.
   *  @param end what follows the release's name in the object's name */
  async object(path: string, end: string): Promise<KubernetesObject> {
    return (await this.api.call("GET", this.path(`${path}/${release}-${end}`))) as KubernetesObject;
  }

  /** The container of a role's Deployment, as the cluster has it. */
  async containerOf(role: string): Promise<Container> {
    return containerOf(await this.object("apps/v1/deployments", `nexus-${role}`));
  }

  /** The path of a resource in this namespace.
   *  @param resource such as v1/pods or apps/v1/deployments */
  path(resource: string): string {
    const [, group = "", rest = ""] = /^(v1|[^/]+\/[^/]+)\/(.*)$/.exec(resource) ?? [];
    return `${group === "v1" ? "/api" : "/apis"}/${group}/namespaces/${this.namespace}/${rest}`;
  }

  /** Every object of the namespace, and every object of the cluster, except events and volumes: kind/name. */
  async everything(): Promise<readonly string[]> {
    const { groups } = (await this.api.call("GET", "/apis")) as {
      readonly groups: readonly { readonly preferredVersion: { readonly groupVersion: string } }[];
    };
    const versions = ["/api/v1", ...groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
    const names = await Promise.all(versions.map((version) => this.objectsOf(version)));
    return names.flat().sort();
  }

  /** Warnings about objects of the namespace that could not be made, such as pods that are not admitted. */
  async refusals(): Promise<readonly string[]> {
    const events = await this.api.list<{ readonly reason: string; readonly message: string }>(this.path("v1/events"));
    return events.flatMap(({ reason, message }) => (reason.startsWith("FailedCreate") ? [message] : []));
  }

  private async objectsOf(version: string): Promise<readonly string[]> {
    const { resources } = (await this.api.call("GET", version)) as { readonly resources: readonly Kind[] };
    const unwanted = new Set(["events", "persistentvolumes", "componentstatuses"]);
    const kinds = resources.filter(({ name, verbs }) => verbs.includes("list") && !unwanted.has(name));
    const found = kinds.map(async ({ name, namespaced }) => {
      const place = namespaced ? `${version}/namespaces/${this.namespace}` : version;
      return (await this.api.list<KubernetesObject>(`${place}/${name}`)).map((each) => `${name}/${each.metadata.name}`);
    });
    return (await Promise.all(found)).flat();
  }
}
