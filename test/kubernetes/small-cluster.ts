import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestAuthority } from "../tls/test-authority.ts";
import type { Rule, TestCluster, TestPod } from "./test-cluster.ts";

type Json = Record<string, unknown>;

/** A watch that is open. */
interface Watcher {
  readonly matches: (pod: Json) => boolean;
  readonly send: (event: Json) => void;
  readonly end: () => void;
}

/** A request as it is judged by the rules. */
interface Attributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly name: string;
  /** True for all namespaces. */
  readonly isEverywhere?: boolean;
}

const namespace = "telemetry-system";

/** A small API server with Deployments' scales and pods. Its answers, refusals and events are those that kube-apiserver 1.37 gave in
 *  the same tests (`bun run test:kubernetes`).
 *  Source: https://kubernetes.io/docs/reference/using-api/api-concepts/ */
export class SmallCluster implements TestCluster {
  readonly namespace = namespace;
  /** While true, every request is answered with 500. */
  isBroken = false;
  /** The lists and watches that have been asked for. */
  listCount = 0;
  watchCount = 0;
  private revision = 1000;
  private oldestRevision = 0;
  private readonly dir = mkdtempSync(join(tmpdir(), "small-cluster-"));
  private readonly certificate: { readonly cert: string; readonly key: string; readonly ca: string };
  private readonly accounts = new Map<
    string,
    { readonly dir: string; readonly rules: readonly Rule[]; token: string }
  >();
  private readonly deployments = new Map<string, { replicas: number; revision: number }>();
  private readonly pods = new Map<string, Json>();
  private readonly events: { readonly revision: number; readonly event: Json; readonly pod: Json }[] = [];
  private readonly watchers = new Set<Watcher>();
  private server: Bun.Server<undefined>;
  private readonly port: number;

  constructor() {
    const authority = TestAuthority.make(this.dir, "ca");
    this.certificate = { ...authority.issue("server", { names: ["IP:127.0.0.1"] }), ca: authority.cert };
    this.server = this.serve(0);
    this.port = this.server.port ?? 0;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  account(rules: readonly Rule[]): Promise<string> {
    const dir = join(this.dir, `account-${this.accounts.size}`);
    mkdirSync(dir);
    writeFileSync(join(dir, "ca.crt"), this.certificate.ca);
    writeFileSync(join(dir, "namespace"), namespace);
    this.accounts.set(dir, { dir, rules, token: "" });
    return this.renewTokens().then(() => dir);
  }

  renewTokens(): Promise<void> {
    for (const account of this.accounts.values()) {
      account.token = `token-${(this.revision += 1)}`;
      writeFileSync(join(account.dir, "token"), `${account.token}\n`);
    }
    return Promise.resolve();
  }

  async addDeployment(name: string, replicas: number): Promise<void> {
    this.deployments.set(name, { replicas, revision: (this.revision += 1) });
  }

  async replicasOf(name: string): Promise<number> {
    return this.deployments.get(name)?.replicas ?? Number.NaN;
  }

  scale(name: string, replicas: number): Promise<void> {
    return this.addDeployment(name, replicas);
  }

  async putPod(pod: TestPod): Promise<void> {
    const type = this.pods.has(pod.name) ? "MODIFIED" : "ADDED";
    const object = podObject(pod, (this.revision += 1));
    this.pods.set(pod.name, object);
    this.tell([{ type, object }]);
  }

  async deletePod(name: string): Promise<void> {
    this.tell([this.deletion(name)]);
  }

  /** Replaces all pods at once, so that their events arrive together. */
  replacePods(pods: readonly TestPod[]): void {
    const gone = [...this.pods.keys()].map((name) => this.deletion(name));
    const added = pods.map((pod) => {
      const object = podObject(pod, (this.revision += 1));
      this.pods.set(pod.name, object);
      return { type: "ADDED", object };
    });
    this.tell([...gone, ...added]);
  }

  async setAway(isAway: boolean): Promise<void> {
    if (isAway) await this.server.stop(true);
    else this.server = this.serve(this.port);
  }

  async loseHistory(): Promise<void> {
    this.revision += 1;
    this.forgetUntilNow();
  }

  /** Ends the watches, as an API server does after their timeoutSeconds; they can continue only from the present revision. */
  forgetUntilNow(): void {
    this.oldestRevision = this.revision;
    for (const watcher of this.watchers) watcher.end();
  }

  /** Sends only a bookmark. */
  bookmark(): void {
    const metadata = { resourceVersion: `${this.revision}` };
    const object = { kind: "Pod", apiVersion: "v1", metadata, spec: { containers: null }, status: {} };
    for (const watcher of this.watchers) watcher.send({ type: "BOOKMARK", object });
  }

  async stop(): Promise<void> {
    await this.server.stop(true);
    await rm(this.dir, { recursive: true });
  }

  private deletion(name: string): { type: string; object: Json } {
    const object = this.pods.get(name) as Json;
    this.pods.delete(name);
    const metadata = { ...(object.metadata as Json), resourceVersion: `${(this.revision += 1)}` };
    return { type: "DELETED", object: { ...object, metadata } };
  }

  private tell(events: readonly { readonly type: string; readonly object: Json }[]): void {
    for (const event of events) this.events.push({ revision: this.revision, event, pod: event.object });
    for (const watcher of this.watchers) {
      for (const event of events) if (watcher.matches(event.object)) watcher.send(event);
    }
  }

  private serve(port: number): Bun.Server<undefined> {
    const { cert, key } = this.certificate;
    return Bun.serve({
      hostname: "127.0.0.1",
      port,
      tls: { cert, key },
      idleTimeout: 0,
      fetch: (each) => this.answer(each),
    });
  }

  private async answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (this.isBroken) return failure(500, "InternalError", "etcdserver: leader changed");
    const token = request.headers.get("authorization")?.replace(/^Bearer /, "");
    const account = [...this.accounts.values()].find((each) => each.token === token);
    if (account === undefined) return failure(401, "Unauthorized", "Unauthorized");
    const [, name] =
      /^\/apis\/apps\/v1\/namespaces\/telemetry-system\/deployments\/([^/]+)\/scale$/.exec(url.pathname) ?? [];
    if (name !== undefined) {
      const attributes = { verb: request.method.toLowerCase(), group: "apps", resource: "deployments/scale", name };
      return permits(account.rules, attributes) ? this.answerScale(request, name) : forbidden(attributes);
    }
    if (!/^\/api\/v1\/(?:namespaces\/telemetry-system\/)?pods$/.test(url.pathname))
      return new Response("404 page not found", { status: 404 });
    const verb = url.searchParams.get("watch") === null ? "list" : "watch";
    const isEverywhere = url.pathname === "/api/v1/pods";
    const attributes = { verb, group: "", resource: "pods", name: "", isEverywhere };
    if (!permits(account.rules, attributes)) return forbidden(attributes);
    return verb === "list" ? this.listPods(url.searchParams) : this.watchPods(url.searchParams, request.signal);
  }

  private async answerScale(request: Request, name: string): Promise<Response> {
    const deployment = this.deployments.get(name);
    if (deployment === undefined) return failure(404, "NotFound", `deployments.apps "${name}" not found`);
    if (request.method === "PATCH") {
      if (request.headers.get("content-type") !== "application/merge-patch+json")
        return failure(415, "UnsupportedMediaType", "");
      const body = (await request.json()) as { metadata?: { resourceVersion: string }; spec: { replicas: number } };
      const expected = body.metadata?.resourceVersion ?? `${deployment.revision}`;
      if (expected !== `${deployment.revision}`) return failure(409, "Conflict", conflictText(name));
      const isDry = new URL(request.url).searchParams.get("dryRun") === "All";
      if (!isDry) this.deployments.set(name, { replicas: body.spec.replicas, revision: (this.revision += 1) });
    }
    const { replicas, revision } = this.deployments.get(name) ?? deployment;
    return Response.json({
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      metadata: {
        name,
        namespace,
        uid: name,
        resourceVersion: `${revision}`,
        creationTimestamp: "2026-11-28T14:00:00Z",
      },
      // a number that is 0 is left out
      spec: replicas === 0 ? {} : { replicas },
      status: { replicas: 0, selector: `app=${name}` },
    });
  }

  private listPods(parameters: URLSearchParams): Response {
    this.listCount += 1;
    const matches = selectorOf(parameters);
    const found = [...this.pods.values()].filter(matches);
    const from = Number(parameters.get("continue") ?? 0);
    const limit = Number(parameters.get("limit"));
    const isMore = from + limit < found.length;
    const metadata = { resourceVersion: `${this.revision}`, ...(isMore && { continue: `${from + limit}` }) };
    return Response.json({ kind: "PodList", apiVersion: "v1", metadata, items: found.slice(from, from + limit) });
  }

  private watchPods(parameters: URLSearchParams, signal: AbortSignal): Response {
    this.watchCount += 1;
    const from = Number(parameters.get("resourceVersion"));
    if (from < this.oldestRevision) {
      const status = statusOf(410, "Expired", `too old resource version: ${from} (${this.oldestRevision})`);
      return new Response(`${JSON.stringify({ type: "ERROR", object: status })}\n`);
    }
    const matches = selectorOf(parameters);
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const watcher: Watcher = {
          matches,
          send: (event) => controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`)),
          end: () => (this.watchers.delete(watcher), controller.close()),
        };
        // Bun sends the status with the first bytes, an API server at once
        controller.enqueue(encoder.encode("\n"));
        signal.addEventListener("abort", () => this.watchers.delete(watcher));
        for (const { event, pod, revision } of this.events) if (revision > from && matches(pod)) watcher.send(event);
        this.watchers.add(watcher);
      },
    });
    return new Response(body, { headers: { "content-type": "application/json" } });
  }
}

function selectorOf(parameters: URLSearchParams): (pod: Json) => boolean {
  const [key = "", value] = (parameters.get("labelSelector") ?? "").split("=");
  return ({ metadata }) => (metadata as { labels: Record<string, string> }).labels[key] === value;
}

function podObject({ name, labels, annotations, nodeName, ip, isReady = true }: TestPod, revision: number): Json {
  const ports = [{ name: "metrics", containerPort: 9400, protocol: "TCP" }];
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name, namespace, labels, ...(annotations && { annotations }), resourceVersion: `${revision}` },
    spec: { nodeName, containers: [{ name: "exporter", image: "exporter", ports }] },
    status:
      ip === undefined
        ? { phase: "Pending" }
        : { phase: "Running", podIP: ip, conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] },
  };
}

function permits(rules: readonly Rule[], { verb, group, resource, name }: Attributes): boolean {
  return rules.some(
    (rule) =>
      rule.verbs.includes(verb) &&
      rule.apiGroups.includes(group) &&
      rule.resources.includes(resource) &&
      (rule.resourceNames?.includes(name) ?? true),
  );
}

function forbidden({ verb, group, resource, name, isEverywhere }: Attributes): Response {
  const object = [resource.split("/")[0], group].filter((text) => text !== "").join(".");
  const subject = name === "" ? object : `${object} "${name}"`;
  const user = `User "system:serviceaccount:${namespace}:account"`;
  const place = isEverywhere ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const what = `resource "${resource}" in API group "${group}" ${place}`;
  return failure(403, "Forbidden", `${subject} is forbidden: ${user} cannot ${verb} ${what}`);
}

function conflictText(name: string): string {
  return `Operation cannot be fulfilled on deployments.apps "${name}": the object has been modified; please apply your changes to the latest version and try again`;
}

function statusOf(code: number, reason: string, message: string): Json {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code };
}

function failure(code: number, reason: string, message: string): Response {
  return Response.json(statusOf(code, reason, message), { status: code });
}
