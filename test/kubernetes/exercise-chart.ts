import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until, untilResolved } from "../../dev/until.ts";
import { member, type KubernetesObject } from "../chart/render-chart.ts";
import type { Administrator } from "./administrator.ts";
import { ChartCluster } from "./chart-cluster.ts";
import type { TestNode } from "./test-node.ts";

interface Parts {
  readonly api: Administrator;
  readonly node: TestNode;
}

const wait = ["--wait", "--timeout", "60s"];

/** The chart is installed, upgraded, rolled back and uninstalled in a real cluster. */
export function exerciseChart(open: () => Parts): void {
  describe("the chart for trials", () => {
    let cluster: ChartCluster;
    let node: TestNode;
    let before: readonly string[];
    const values = ["values-nexus.yaml"];
    const secrets = async (): Promise<readonly unknown[]> =>
      [await cluster.object("v1/secrets", "database"), await cluster.object("v1/secrets", "first-key")].map(
        ({ data }) => data,
      );
    const collectors = async (): Promise<readonly unknown[]> => {
      const deployment = await cluster.object("apps/v1/deployments", "nexus-collector");
      return [member(deployment, "spec.replicas"), (await cluster.containerOf("collector")).image.split(":")[1]];
    };
    const left = async (): Promise<readonly string[]> => {
      const now = await cluster.everything();
      return now.filter((each) => !before.includes(each));
    };

    beforeAll(async () => {
      const parts = open();
      node = parts.node;
      cluster = await ChartCluster.open(parts.api, "trial");
      // controllers make these in every namespace
      await untilResolved(() => parts.api.call("GET", cluster.path("v1/serviceaccounts/default")));
      await untilResolved(() => parts.api.call("GET", cluster.path("v1/configmaps/kube-root-ca.crt")));
      before = await cluster.everything();
    });

    test("the namespace refuses a pod that is not restricted", async () => {
      const pod = { metadata: { name: "plain" }, spec: { containers: [{ name: "main", image: "none" }] } };
      const refused = cluster.api.call("POST", cluster.path("v1/pods"), pod);
      await expect(refused).rejects.toThrow('violates PodSecurity \\"restricted:latest\\"');
    });

    test("an installation ends when the last pod is ready, and every pod is admitted", async () => {
      node.decide("nexus-gateway", "waits");
      let hasEnded = false;
      const installed = cluster.helm(["install", ...wait], values).finally(() => (hasEnded = true));
      const others = ["nexus-streamer", "nexus-collector", "nexus-coordinator", "etcd", "database"];
      await until(() => others.every((each) => node.reported.includes(each)), { timeoutMs: 40_000 });
      await Bun.sleep(1500);
      expect(hasEnded).toBe(false);
      node.decide("nexus-gateway", undefined);
      expect(await installed).toContain("kubectl port-forward svc/telemetry-pipeline-nexus-gateway 8080:8080 -n trial");
      expect(await cluster.refusals()).toEqual([]);
    });

    test("an upgrade and a rollback change what is asked for, and neither secrets nor etcd's pods", async () => {
      const uids = async (): Promise<unknown> =>
        (await cluster.api.list<KubernetesObject>(cluster.path("v1/pods")))
          .filter(({ metadata }) => /-(?:etcd|database)-\d$/.test(metadata.name))
          .map((pod) => member(pod, "metadata.uid"));
      const [keys, pods, first] = [await secrets(), await uids(), await collectors()];
      const changed = [...values, "nexusCollector.replicaCount=3", "image.tag=9.9.9"];
      await cluster.helm(["upgrade", ...wait], changed);
      expect(await collectors()).toEqual([3, "9.9.9"]);
      expect(await secrets()).toEqual(keys);
      await cluster.helm(["rollback", ...wait]);
      expect(await collectors()).toEqual([...first]);
      expect([await secrets(), await uids(), await cluster.refusals()]).toEqual([keys, pods, []]);
    });

    test("after it is uninstalled, the volumes and the database's password are left, and are used again", async () => {
      const [password] = await secrets();
      expect(await cluster.helm(["uninstall", "--wait"])).toContain("[Secret] telemetry-pipeline-database");
      const kept = ["database-0", "etcd-0", "etcd-1", "etcd-2"].map(
        (each) => `persistentvolumeclaims/data-telemetry-pipeline-${each}`,
      );
      const expected = [...kept, "secrets/telemetry-pipeline-database"];
      await until(async () => (await left()).length <= expected.length);
      expect(await left()).toEqual(expected);
      await cluster.helm(["install", ...wait], values);
      expect((await secrets())[0]).toEqual(password);
      await cluster.helm(["uninstall", "--wait"]);
      // the command of the chart's README
      const selector = ["--selector", "app.kubernetes.io/instance=telemetry-pipeline", "--namespace", "trial"];
      const deleted = await cluster.run(["kubectl", "delete", "pvc,secrets,jobs", ...selector]);
      expect(deleted.code).toBe(0);
      await until(async () => (await left()).length === 0);
    });
  });

  describe("the chart for production", () => {
    let cluster: ChartCluster;
    let node: TestNode;
    const values = ["values-production.yaml", "migrations.backoffLimit=0"];
    const namesOf = async (resource: string): Promise<readonly string[]> =>
      (await cluster.api.list<KubernetesObject>(cluster.path(resource))).map(({ metadata }) => metadata.name);
    const migrations = async (): Promise<readonly string[]> => {
      const kinds = ["batch/v1/jobs", "v1/serviceaccounts", "networking.k8s.io/v1/networkpolicies"];
      const names = await Promise.all(kinds.map(namesOf));
      return kinds.filter((_, index) => names[index]?.includes("telemetry-pipeline-migrations"));
    };

    beforeAll(async () => {
      const parts = open();
      node = parts.node;
      cluster = await ChartCluster.open(parts.api, "production");
    });
    afterAll(() => node.decide("migrations", undefined));

    test("nothing starts before the database is migrated", async () => {
      node.decide("migrations", "ready");
      const earlier = node.reported.length;
      const installed = cluster.helm(["install", ...wait], values);
      await until(() => node.reported.slice(earlier).includes("migrations"));
      await Bun.sleep(1000);
      expect((await migrations()).length).toBe(3);
      expect(await namesOf("apps/v1/deployments")).toEqual([]);
      expect(await namesOf("apps/v1/statefulsets")).toEqual([]);
      node.decide("migrations", undefined);
      await installed;
      expect(await migrations()).toEqual([]);
      expect(await cluster.refusals()).toEqual([]);
      expect((await namesOf("apps/v1/deployments")).length).toBe(4);
    });

    test("if a migration fails, the old version goes on, and only the Job is left, with its log", async () => {
      const { image } = await cluster.containerOf("collector");
      node.decide("migrations", "fails");
      const failed = await cluster.tryHelm(["upgrade", ...wait], [...values, "image.tag=9.9.9"]);
      expect(failed.code).toBe(1);
      expect(failed.output).toContain("telemetry-pipeline-migrations");
      expect((await cluster.containerOf("collector")).image).toBe(image);
      expect(await migrations()).toEqual(["batch/v1/jobs"]);
      node.decide("migrations", undefined);
      await cluster.helm(["upgrade", ...wait], [...values, "image.tag=9.9.9"]);
      expect((await cluster.containerOf("collector")).image).toEndWith(":9.9.9");
      expect(await migrations()).toEqual([]);
    });

    test("after it is uninstalled, only etcd's volumes are left", async () => {
      await cluster.helm(["uninstall", "--wait"]);
      await until(async () => (await cluster.everything()).filter((each) => each.includes("telemetry-")).length <= 3);
      expect((await cluster.everything()).filter((each) => each.includes("telemetry-"))).toEqual(
        [0, 1, 2].map((each) => `persistentvolumeclaims/data-telemetry-pipeline-etcd-${each}`),
      );
    });
  });
}
