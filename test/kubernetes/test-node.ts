import type { Administrator } from "./administrator.ts";
import { TestKubelet } from "./test-kubelet.ts";

/** A pod, as far as a node looks at it. */
export interface NodePod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly restartPolicy: string;
    readonly containers: readonly { readonly name: string; readonly image: string }[];
  };
  readonly status: {
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

interface Claim {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly spec: {
    readonly storageClassName?: string;
    readonly accessModes: readonly string[];
    readonly resources: { readonly requests: { readonly storage: string } };
  };
  readonly status: { readonly phase: string };
}

/** What becomes of a pod: it waits, is ready, or ends. */
type Fate = "waits" | "ready" | "succeeds" | "fails";

const everyMs = 150;

/** A node that starts no programs. It reports the pods that the scheduler gives it as their program would make them, and gives every
 *  claim a volume. */
export class TestNode {
  /** The component of each pod that was reported as ready or ended, in this order. */
  readonly reported: string[] = [];
  private readonly fates = new Map<string, Fate>();
  private readonly halt = new AbortController();
  private ended: Promise<void> = Promise.resolve();

  private constructor(
    private readonly api: Administrator,
    private readonly name: string,
    readonly kubelet: TestKubelet,
  ) {}

  static async join(api: Administrator, name = "test-node"): Promise<TestNode> {
    const node = new TestNode(api, name, TestKubelet.start(api.plane));
    await api.call("POST", "/api/v1/nodes", { metadata: { name, labels: { "kubernetes.io/hostname": name } } });
    const capacity = { cpu: "64", memory: "256Gi", pods: "500", "ephemeral-storage": "500Gi" };
    await api.call("PATCH", `/api/v1/nodes/${name}/status`, {
      status: {
        ...{ capacity, allocatable: capacity, conditions: [{ type: "Ready", status: "True" }] },
        addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
        daemonEndpoints: { kubeletEndpoint: { Port: node.kubelet.port } },
        declaredFeatures: ["ExtendWebSocketsToKubelet"],
      },
    });
    // a new node is tainted until a controller has seen it
    await api.call("PATCH", `/api/v1/nodes/${name}`, { spec: { taints: null } });
    node.ended = node.work();
    return node;
  }

  /** Decides about the pods of a component, such as `nexus-gateway`. By default they become ready, and those of Jobs succeed. */
  decide(component: string, fate: Fate | undefined): void {
    if (fate === undefined) this.fates.delete(component);
    else this.fates.set(component, fate);
  }

  async leave(): Promise<void> {
    this.halt.abort();
    await this.ended;
    this.kubelet.stop();
    await this.api.call("DELETE", `/api/v1/nodes/${this.name}`);
  }

  private async work(): Promise<void> {
    while (!this.halt.signal.aborted) {
      // an object may change or go meanwhile: the next round sees it
      await Promise.allSettled([this.reportPods(), this.bindClaims()]);
      await Bun.sleep(everyMs);
    }
  }

  private async reportPods(): Promise<void> {
    const pods = await this.api.list<NodePod>(`/api/v1/pods?fieldSelector=spec.nodeName=${this.name}`);
    await Promise.allSettled(pods.map((pod) => this.report(pod)));
  }

  private async report(pod: NodePod): Promise<void> {
    const { name, namespace, labels, deletionTimestamp } = pod.metadata;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    if (deletionTimestamp !== undefined) return void (await this.api.call("DELETE", `${path}?gracePeriodSeconds=0`));
    const component = labels?.["app.kubernetes.io/component"] ?? "";
    const fate =
      this.fates.get(component) ??
      (pod.spec.restartPolicy === "Never" && component !== "csv-loader" ? "succeeds" : "ready");
    const phase = { waits: "Pending", ready: "Running", succeeds: "Succeeded", fails: "Failed" }[fate];
    if (fate === "waits" || pod.status.phase === phase) return;
    await this.api.call("PATCH", `${path}/status`, { status: statusOf(pod, phase) });
    this.reported.push(component);
  }

  /** Makes a volume for each claim that has none, and deletes those whose claim is gone. */
  private async bindClaims(): Promise<void> {
    for (const { metadata, spec, status } of await this.api.list<Claim>("/api/v1/persistentvolumeclaims")) {
      if (status.phase !== "Pending") continue;
      const { name, namespace, uid } = metadata;
      await this.api
        .call("POST", "/api/v1/persistentvolumes", {
          metadata: { name: `${namespace}-${name}-${uid}`.slice(0, 253) },
          spec: {
            ...{ accessModes: spec.accessModes, capacity: spec.resources.requests, hostPath: { path: "/nowhere" } },
            ...{ claimRef: { namespace, name }, storageClassName: spec.storageClassName ?? "" },
          },
        })
        .catch(() => undefined);
    }
    for (const { metadata, status } of await this.api.list<Claim>("/api/v1/persistentvolumes")) {
      if (status.phase === "Released") await this.api.call("DELETE", `/api/v1/persistentvolumes/${metadata.name}`);
    }
  }
}

function statusOf({ spec }: NodePod, phase: string): object {
  const isRunning = phase === "Running";
  const now = new Date().toISOString();
  const state = isRunning
    ? { running: { startedAt: now } }
    : { terminated: { exitCode: phase === "Failed" ? 1 : 0, startedAt: now, finishedAt: now } };
  const condition = (type: string, holds: boolean): object => ({ type, status: holds ? "True" : "False" });
  const ip = "10.1.0.1";
  return {
    ...{ phase, podIP: ip, podIPs: [{ ip }], hostIP: "127.0.0.1", startTime: now },
    conditions: [
      ...["PodScheduled", "Initialized"].map((type) => condition(type, true)),
      ...["ContainersReady", "Ready"].map((type) => condition(type, isRunning)),
    ],
    containerStatuses: spec.containers.map(({ name, image }) => ({
      ...{ name, image, imageID: image, containerID: `test://${name}` },
      ...{ ready: isRunning, started: isRunning, restartCount: 0, state },
    })),
  };
}
