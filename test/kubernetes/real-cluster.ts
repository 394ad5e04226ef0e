import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openProxyServer, type ProxyServer } from "../../dev/proxy-server.ts";
import type { ControlPlane } from "../../dev/servers/kubernetes/control-plane.ts";
import { untilResolved } from "../../dev/until.ts";
import { Administrator } from "./administrator.ts";
import type { Rule, TestCluster, TestPod } from "./test-cluster.ts";

interface Account {
  readonly name: string;
  readonly dir: string;
}

const rbac = "/apis/rbac.authorization.k8s.io/v1";

/** A namespace of a real control plane. Its API is reached through a proxy, which can cut connections. */
export class RealCluster implements TestCluster {
  private isAway = false;
  private readonly accounts: Account[] = [];
  private readonly clusterWide: string[] = [];
  private readonly dir = mkdtempSync(join(tmpdir(), "real-cluster-"));
  private readonly administrator: Administrator;
  private proxy!: ProxyServer;

  private constructor(
    private readonly plane: ControlPlane,
    readonly namespace: string,
  ) {
    this.administrator = new Administrator(plane);
  }

  /** @param namespace a new one */
  static async open(plane: ControlPlane, namespace: string): Promise<RealCluster> {
    const cluster = new RealCluster(plane, namespace);
    await cluster.call("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
    // a controller makes the account of pods that name none
    await untilResolved(() => cluster.call("GET", cluster.core("serviceaccounts/default")));
    cluster.proxy = await openProxyServer(
      { host: "127.0.0.1", port: Number(new URL(plane.url).port) },
      (client, to) => {
        if (cluster.isAway) return void client.destroy();
        client.pipe(to).pipe(client);
      },
    );
    return cluster;
  }

  get url(): string {
    return `https://127.0.0.1:${this.proxy.port}`;
  }

  async account(rules: readonly Rule[], everywhere = false): Promise<string> {
    const name = `account-${this.accounts.length}`;
    const account = { name, dir: join(this.dir, name) };
    mkdirSync(account.dir);
    writeFileSync(join(account.dir, "ca.crt"), this.administrator.ca);
    writeFileSync(join(account.dir, "namespace"), this.namespace);
    this.accounts.push(account);
    const prefix = everywhere ? "Cluster" : "";
    const place = everywhere ? rbac : `${rbac}/namespaces/${this.namespace}`;
    const metadata = { name: everywhere ? `${this.namespace}-${name}` : name };
    const subjects = [{ kind: "ServiceAccount", name, namespace: this.namespace }];
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: `${prefix}Role`, name: metadata.name };
    await this.call("POST", `${place}/${prefix.toLowerCase()}roles`, { metadata, rules });
    await this.call("POST", `${place}/${prefix.toLowerCase()}rolebindings`, { metadata, subjects, roleRef });
    if (everywhere) this.clusterWide.push(metadata.name);
    await this.call("POST", this.core("serviceaccounts"), { metadata: { name } });
    await this.writeToken(account);
    return account.dir;
  }

  /** A token is valid as long as the account that it was made for exists. */
  async renewTokens(): Promise<void> {
    for (const account of this.accounts) {
      await this.call("DELETE", this.core(`serviceaccounts/${account.name}`));
      await this.call("POST", this.core("serviceaccounts"), { metadata: { name: account.name } });
      await this.writeToken(account);
    }
  }

  async addDeployment(name: string, replicas: number): Promise<void> {
    const labels = { app: name };
    const spec = { containers: [{ name: "main", image: "none" }] };
    const template = { metadata: { labels }, spec };
    const deployment = { metadata: { name }, spec: { replicas, selector: { matchLabels: labels }, template } };
    await this.call("POST", `/apis/apps/v1/namespaces/${this.namespace}/deployments`, deployment);
  }

  async replicasOf(name: string): Promise<number> {
    const scale = (await this.call("GET", this.scalePath(name))) as { spec: { replicas?: number } };
    return scale.spec.replicas ?? 0;
  }

  async scale(name: string, replicas: number): Promise<void> {
    await this.call("PATCH", this.scalePath(name), { spec: { replicas } });
  }

  async putPod({ name, labels, annotations, nodeName, ip, isReady = true }: TestPod): Promise<void> {
    const metadata = { name, labels, annotations };
    const ports = [{ name: "metrics", containerPort: 9400 }];
    const spec = { nodeName, containers: [{ name: "exporter", image: "none", ports }] };
    // it may exist already
    await this.call("POST", this.core("pods"), { metadata, spec }).catch((error: unknown) => {
      if (!String(error).includes("already exists")) throw error;
    });
    if (ip === undefined) return;
    const conditions = [{ type: "Ready", status: isReady ? "True" : "False" }];
    const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions };
    await this.call("PATCH", `${this.core(`pods/${name}`)}/status`, { status });
  }

  /** As a node ends a pod: first it is marked, then it is gone. */
  async deletePod(name: string): Promise<void> {
    await this.call("DELETE", this.core(`pods/${name}`));
    await this.call("DELETE", `${this.core(`pods/${name}`)}?gracePeriodSeconds=0`);
  }

  async setAway(isAway: boolean): Promise<void> {
    this.isAway = isAway;
    if (isAway) this.proxy.cutAll();
  }

  /** An API server knows only the changes since its start. */
  async loseHistory(): Promise<void> {
    await this.plane.restartApi();
  }

  async stop(): Promise<void> {
    await this.proxy.close();
    for (const name of this.clusterWide) {
      await this.call("DELETE", `${rbac}/clusterrolebindings/${name}`);
      await this.call("DELETE", `${rbac}/clusterroles/${name}`);
    }
    await this.call("DELETE", `/api/v1/namespaces/${this.namespace}`);
    await rm(this.dir, { recursive: true });
  }

  /** A call of the administrator, without the proxy. @throws Error with the answer if it is none of success */
  call(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.administrator.call(method, path, body);
  }

  private core(path: string): string {
    return `/api/v1/namespaces/${this.namespace}/${path}`;
  }

  private scalePath(name: string): string {
    return `/apis/apps/v1/namespaces/${this.namespace}/deployments/${name}/scale`;
  }

  private async writeToken({ name, dir }: Account): Promise<void> {
    const answer = await this.call("POST", this.core(`serviceaccounts/${name}/token`), { spec: {} });
    writeFileSync(join(dir, "token"), (answer as { status: { token: string } }).status.token);
  }
}
