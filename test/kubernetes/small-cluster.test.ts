import { describe, expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { unshownLog } from "../../dev/unshown-log.ts";
import { until } from "../../dev/until.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { KubernetesApi } from "../../src/kubernetes/kubernetes-api.ts";
import { ServiceAccount } from "../../src/kubernetes/service-account.ts";
import { KubernetesDiscovery } from "../../src/pipeline/source/exporter/discovery/kubernetes/kubernetes-discovery.ts";
import { exerciseTargetDiscovery } from "../contract/target-discovery.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { openssl } from "../tls/test-authority.ts";
import { exerciseDiscovery, Following, podRule } from "./exercise-discovery.ts";
import { exerciseExecutor } from "./exercise-executor.ts";
import { SmallCluster } from "./small-cluster.ts";

const labels = { app: "exporter" };
const podAt = (name: string) => ({ name: `pod-${name}`, labels, nodeName: "node", ip: name.replace(":9400", "") });

describe.skipIf(openssl === null)("a small API server (needs openssl)", () => {
  exerciseExecutor("a small API server", () => Promise.resolve(new SmallCluster()));
  exerciseDiscovery("a small API server", () => Promise.resolve(new SmallCluster()));

  exerciseTargetDiscovery("the discovery by pods", async () => {
    const cluster = new SmallCluster();
    const account = new ServiceAccount(await cluster.account([podRule]));
    const names = ["a:9400", "b:9400"];
    cluster.replacePods(names.map(podAt));
    const clock = new ManualClock();
    const api = new KubernetesApi({ url: cluster.url, account, clock });
    const place = { selector: "app=exporter", namespace: undefined, port: "9400", clusterId: "lab" };
    return {
      discovery: new KubernetesDiscovery({ api, ...place, clock, log: unshownLog() }),
      clock,
      names,
      changes: {
        find: async (found) => {
          cluster.isBroken = false;
          cluster.replacePods(found.map(podAt));
        },
        fail: async () => {
          cluster.isBroken = true;
          cluster.forgetUntilNow();
        },
      },
      close: () => cluster.stop(),
    };
  });

  const withDiscovery = async (run: (cluster: SmallCluster, following: Following) => Promise<void>): Promise<void> => {
    const cluster = new SmallCluster();
    cluster.replacePods(Array.from({ length: 1200 }, (_, at) => podAt(`10.2.${Math.floor(at / 250)}.${at % 250}`)));
    const following = new Following(cluster, await cluster.account([podRule]));
    try {
      await until(async () => (await following.clock.advance(0), cluster.watchCount === 1));
      await run(cluster, following);
    } finally {
      await following.end();
      await cluster.stop();
    }
  };

  test("a list of several pages is passed on once; a watch that ends continues after its last bookmark", () =>
    withDiscovery(async (cluster, following) => {
      expect(following.passed.map(({ length }) => length)).toEqual([1200]);
      expect(cluster.listCount).toBe(3);
      await cluster.putPod({ ...podAt("10.3.0.1"), labels: { app: "other" } });
      cluster.bookmark();
      await following.clock.advance(0);
      cluster.forgetUntilNow();
      await until(async () => (await following.clock.advance(1000), cluster.watchCount === 2));
      await following.clock.advance(1000);
      expect([cluster.watchCount, cluster.listCount]).toEqual([2, 3]);
    }));

  test("a watch is given up after 5 minutes in which nothing came, and another one continues", () =>
    withDiscovery(async (cluster, following) => {
      await following.clock.advance(290_000);
      await cluster.putPod(podAt("10.3.0.1"));
      await until(() => following.passed.length === 2);
      await following.clock.advance(299_000);
      expect(cluster.watchCount).toBe(1);
      await following.clock.advance(2000);
      await until(async () => (await following.clock.advance(1000), cluster.watchCount === 2));
      expect(cluster.listCount).toBe(3);
    }));

  test("a server that another authority has certified gets no token", async () => {
    const [cluster, other] = [new SmallCluster(), new SmallCluster()];
    const dir = await cluster.account([podRule]);
    copyFileSync(join(await other.account([]), "ca.crt"), join(dir, "ca.crt"));
    const api = new KubernetesApi({ url: cluster.url, account: new ServiceAccount(dir), clock: systemClock });
    const refused = await api.get("/api/v1/pods?limit=1").catch(String);
    expect(refused).toMatch(/KubernetesUnavailable: the Kubernetes API does not answer at .*certificate/);
    await Promise.all([cluster.stop(), other.stop()]);
  });

  test("a service account without its files is told with the setting", async () => {
    const api = new KubernetesApi({
      url: "https://127.0.0.1:1",
      account: new ServiceAccount("/none"),
      clock: systemClock,
    });
    expect(await api.get("/api").catch(String)).toContain(
      "/none/token cannot be read (KUBERNETES_SERVICE_ACCOUNT_DIR)",
    );
  });
});
