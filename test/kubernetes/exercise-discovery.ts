import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { unshownLog } from "../../dev/unshown-log.ts";
import { until } from "../../dev/until.ts";
import { KubernetesApi } from "../../src/kubernetes/kubernetes-api.ts";
import { ServiceAccount } from "../../src/kubernetes/service-account.ts";
import { KubernetesDiscovery } from "../../src/pipeline/source/exporter/discovery/kubernetes/kubernetes-discovery.ts";
import type { Target } from "../../src/pipeline/source/exporter/target.ts";
import { ManualClock } from "../support/manual-clock.ts";
import type { Rule, TestCluster, TestPod } from "./test-cluster.ts";

/** The rule of the ClusterRole in docs/live-sources.md. */
export const podRule: Rule = { apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"] };

const labels = { app: "exporter" };

/** A discovery that follows, and what it has passed on. */
export class Following {
  readonly clock = new ManualClock();
  readonly passed: (readonly Target[])[] = [];
  readonly discovery: KubernetesDiscovery;
  private readonly halt = new AbortController();
  private readonly ended: Promise<void>;

  constructor({ url, namespace }: TestCluster, dir: string, options: { everywhere?: boolean; port?: string } = {}) {
    this.discovery = new KubernetesDiscovery({
      api: new KubernetesApi({ url, account: new ServiceAccount(dir), clock: this.clock }),
      selector: "app=exporter",
      namespace: options.everywhere ? undefined : namespace,
      port: options.port ?? "9400",
      clusterId: "lab",
      clock: this.clock,
      log: unshownLog(),
    });
    this.ended = this.discovery.follow((targets) => this.passed.push(targets), this.halt.signal);
  }

  end(): Promise<void> {
    this.halt.abort();
    return this.ended;
  }

  /** Lets time pass until the newest targets have these names. */
  async untilFound(...names: readonly string[]): Promise<readonly Target[]> {
    await until(async () => {
      await this.clock.advance(1000);
      return (
        this.passed
          .at(-1)
          ?.map(({ name }) => name)
          .join() === names.join()
      );
    });
    return this.passed.at(-1) ?? [];
  }
}

/** The discovery of exporters in the pods of a cluster. */
export function exerciseDiscovery(name: string, open: () => Promise<TestCluster>): void {
  describe(`the discovery on ${name}`, () => {
    let cluster: TestCluster;
    let dir: string;
    const pod = (number: number, changes: Partial<TestPod> = {}): TestPod => ({
      ...{ name: `exporter-${number}`, nodeName: `node-${number}`, ip: `10.1.0.${number}`, labels },
      ...changes,
    });
    const withDiscovery = async (run: (following: Following) => Promise<void>): Promise<void> => {
      const following = new Following(cluster, dir);
      try {
        await run(following);
      } finally {
        await following.end();
      }
    };

    beforeAll(async () => {
      cluster = await open();
      dir = await cluster.account([podRule]);
      await cluster.putPod(pod(1));
      await cluster.putPod({ ...pod(9), labels: { app: "other" } });
    });
    afterAll(() => cluster.stop());

    test("a pod with the labels is a target at its address, and its node is the host", () =>
      withDiscovery(async (following) => {
        expect(await following.untilFound("10.1.0.1:9400")).toEqual([
          { name: "10.1.0.1:9400", url: "http://10.1.0.1:9400/metrics", host: "node-1", clusterId: "lab", labels: {} },
        ]);
        expect(following.discovery.error).toBeUndefined();
      }));

    test("pods come without an address, get one and another one, are ready or not, and go", () =>
      withDiscovery(async (following) => {
        await following.untilFound("10.1.0.1:9400");
        await cluster.putPod({ name: "exporter-2", nodeName: "node-2", labels });
        await cluster.putPod(pod(3, { annotations: { "prometheus.io/scheme": "https", "prometheus.io/path": "/m" } }));
        await following.untilFound("10.1.0.1:9400", "https://10.1.0.3:9400/m");
        await cluster.putPod(pod(2, { isReady: false }));
        await following.untilFound("10.1.0.1:9400", "10.1.0.2:9400", "https://10.1.0.3:9400/m");
        const before = following.passed.length;
        await cluster.putPod(pod(2, { isReady: true }));
        await cluster.putPod(pod(2, { ip: "10.1.0.20" }));
        await following.untilFound("10.1.0.1:9400", "10.1.0.20:9400", "https://10.1.0.3:9400/m");
        expect(following.passed.length).toBe(before + 1);
        await cluster.deletePod("exporter-2");
        await cluster.deletePod("exporter-3");
        await following.untilFound("10.1.0.1:9400");
      }));

    test("while the API is away, the targets stay, and it is told; what changed meanwhile is found", () =>
      withDiscovery(async (following) => {
        await following.untilFound("10.1.0.1:9400");
        const passed = following.passed.length;
        await cluster.setAway(true);
        await until(async () => (await following.clock.advance(1000), following.discovery.error !== undefined));
        expect(following.discovery.error).toContain("DCGM_DISCOVERY=kubernetes: the targets stay as they were");
        expect(following.discovery.error).toContain(`does not answer at ${cluster.url}`);
        expect(following.passed.length).toBe(passed);
        await cluster.setAway(false);
        await cluster.putPod(pod(4));
        await following.untilFound("10.1.0.1:9400", "10.1.0.4:9400");
        expect(following.discovery.error).toBeUndefined();
      }));

    test("after a revision that the server no longer has, the pods are listed again", () =>
      withDiscovery(async (following) => {
        await following.untilFound("10.1.0.1:9400", "10.1.0.4:9400");
        await cluster.deletePod("exporter-4");
        await cluster.loseHistory();
        await cluster.putPod(pod(5));
        await following.untilFound("10.1.0.1:9400", "10.1.0.5:9400");
        await cluster.deletePod("exporter-5");
        await following.untilFound("10.1.0.1:9400");
      }));

    test("a missing right is told with the rule that gives it", async () => {
      const powerless = await cluster.account([{ ...podRule, verbs: ["get"] }]);
      const [here, everywhere] = [
        new Following(cluster, powerless),
        new Following(cluster, powerless, { everywhere: true }),
      ];
      await until(() => here.discovery.error !== undefined && everywhere.discovery.error !== undefined);
      const rule = `lacks this rule: {apiGroups: [""], resources: [pods], verbs: [list, watch]}`;
      expect(here.discovery.error).toContain(`pods in the namespace ${cluster.namespace}; its Role ${rule}`);
      expect(everywhere.discovery.error).toContain(`pods in any namespace; its ClusterRole ${rule}`);
      expect(everywhere.discovery.error).toContain(`cannot list resource "pods" in API group "" at the cluster scope`);
      await Promise.all([here.end(), everywhere.end()]);
    });

    test("all namespaces are read with a ClusterRole, and a port is found by its name", async () => {
      const account = await cluster.account([podRule], true);
      const [named, unnamed] = ["metrics", "absent"].map(
        (port) => new Following(cluster, account, { everywhere: true, port }),
      );
      await named?.untilFound("10.1.0.1:9400");
      await unnamed?.untilFound();
      await Promise.all([named?.end(), unnamed?.end()]);
    });
  });
}
