import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until, untilResolved } from "../../dev/until.ts";
import { member } from "../chart/render-chart.ts";
import type { Administrator } from "./administrator.ts";
import { ChartCluster, type Ended } from "./chart-cluster.ts";
import type { TestNode } from "./test-node.ts";

interface Parts {
  readonly api: Administrator;
  readonly node: TestNode;
}

/** `make k8s-deploy-nexus` and its kin in a real cluster. */
export function exerciseCommands(open: () => Parts): void {
  describe("the commands for the chart", () => {
    const folder = mkdtempSync(join(tmpdir(), "chart-commands-"));
    const file = join(folder, "fleet.csv");
    let cluster: ChartCluster;
    let node: TestNode;
    let before: readonly string[];
    const make = (target: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
      cluster.run(["make", target], { TIMEOUT: "60s", ...env });
    const done = async (target: string, env: Readonly<Record<string, string>> = {}): Promise<string> => {
      const { code, output } = await make(target, env);
      expect([target, code === 0 ? 0 : output]).toEqual([target, 0]);
      return output;
    };
    const replicas = (): Promise<readonly unknown[]> =>
      Promise.all(
        ["streamer", "collector", "gateway"].map(async (role) =>
          member(await cluster.object("apps/v1/deployments", `nexus-${role}`), "spec.replicas"),
        ),
      );

    beforeAll(async () => {
      const parts = open();
      node = parts.node;
      cluster = await ChartCluster.open(parts.api, "commands");
      await untilResolved(() => parts.api.call("GET", cluster.path("v1/serviceaccounts/default")));
      await untilResolved(() => parts.api.call("GET", cluster.path("v1/configmaps/kube-root-ca.crt")));
      before = await cluster.everything();
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    test("before anything is deployed, status, logs and port-forward say so", async () => {
      for (const target of ["k8s-status-nexus", "k8s-logs-nexus", "k8s-port-forward"]) {
        const { code, output } = await make(target);
        expect([target, code]).toEqual([target, 2]);
        expect(output).toContain("nothing is deployed here: make k8s-deploy-nexus deploys the pipeline");
      }
    });

    test("k8s-deploy-nexus says what is not ready in time, status names it, and the next deployment goes on", async () => {
      node.decide("nexus-gateway", "waits");
      const env = { STREAMER_INSTANCES: "3", COLLECTOR_INSTANCES: "1", DOCKER_REGISTRY: "registry.example.org" };
      const late = await make("k8s-deploy-nexus", { ...env, TIMEOUT: "5s" });
      expect(late.code).toBe(2);
      expect(late.output).toContain("Deployment/commands/telemetry-pipeline-nexus-gateway not ready");
      const status = await make("k8s-status-nexus");
      expect([status.code, status.output]).toEqual([
        2,
        expect.stringContaining("Deployment telemetry-pipeline-nexus-gateway: 0 of 2 pods are ready"),
      ]);
      expect((await make("k8s-port-forward")).output).toContain("no pod has started yet; the first one: ");
      node.decide("nexus-gateway", undefined);
      await done("k8s-deploy-nexus");
      await done("k8s-status-nexus");
      // what the first deployment set stays
      expect(await replicas()).toEqual([3, 1, 2]);
      expect((await cluster.containerOf("streamer")).image).toStartWith("registry.example.org/gpu-telemetry-pipeline:");
      expect(await cluster.refusals()).toEqual([]);
    });

    test("after kubectl scale, helm upgrade sets another number", async () => {
      const deployment = ["deployment", "telemetry-pipeline-nexus-streamer", "--namespace", "commands"];
      expect((await cluster.run(["kubectl", "scale", ...deployment, "--replicas=5"])).code).toBe(0);
      const set = "nexusStreamer.replicaCount=4";
      await cluster.helm(["upgrade", "--wait", "--timeout", "60s"], ["values-nexus.yaml", set]);
      expect((await replicas())[0]).toBe(4);
      expect((await cluster.run(["kubectl", "scale", ...deployment, "--replicas=5"])).code).toBe(0);
      await cluster.helm(["rollback", "--wait", "--timeout", "60s"]);
      expect((await replicas())[0]).toBe(3);
    });

    test("logs are those of every pod, and port-forward ends with the reason if the node refuses", async () => {
      const logs = await done("k8s-logs-nexus");
      for (const each of ["gateway", "collector", "streamer", "coordinator"]) {
        expect(logs).toMatch(new RegExp(`telemetry-pipeline-nexus-${each}-\\S+/${each}\\] a line of`));
      }
      expect(logs).toContain("/etcd] a line of telemetry-pipeline-etcd-2");
      const forward = await make("k8s-port-forward", { PORT: "18080" });
      expect([forward.code, forward.output]).toEqual([2, expect.stringContaining("is not served")]);
    });

    test("csv-deploy-configmap and csv-deploy-pvc give the streamers a file", async () => {
      writeFileSync(file, "timestamp,value\n1,2\n");
      await done("csv-deploy-configmap", { CSV_FILE: file });
      const volumes = async (): Promise<string> =>
        JSON.stringify(
          member(await cluster.object("apps/v1/deployments", "nexus-streamer"), "spec.template.spec.volumes"),
        );
      expect(await volumes()).toContain('"configMap":{"name":"telemetry-pipeline-csv"');
      const large = "a,b\n".repeat(500_000);
      writeFileSync(file, large);
      await done("csv-deploy-pvc", { CSV_FILE: file, SIZE: "5Gi" });
      expect(readFileSync(join(node.kubelet.volume, "telemetry.csv"), "utf8") === large).toBe(true);
      expect(await volumes()).toContain('"persistentVolumeClaim":{"claimName":"telemetry-pipeline-csv"');
      expect(await replicas()).toEqual([3, 1, 2]);
      expect(await cluster.refusals()).toEqual([]);
    });

    test("if the pod that receives a file does not start, csv-deploy-pvc says why and changes nothing", async () => {
      const deployment = await cluster.object("apps/v1/deployments", "nexus-streamer");
      node.decide("csv-loader", "waits");
      const { code, output } = await make("csv-deploy-pvc", { CSV_FILE: file, SIZE: "5Gi", TIMEOUT: "2s" });
      node.decide("csv-loader", undefined);
      expect(code).toBe(2);
      expect(output).toContain("the pod telemetry-pipeline-csv-loader, which receives the file, is not ready: ");
      const after = await cluster.object("apps/v1/deployments", "nexus-streamer");
      expect(member(after, "metadata.generation")).toBe(member(deployment, "metadata.generation"));
    });

    test("k8s-undeploy-nexus leaves data and its password, and DELETE_DATA=true leaves nothing", async () => {
      const left = async (): Promise<readonly string[]> =>
        (await cluster.everything()).filter((each) => !before.includes(each));
      expect(await done("k8s-undeploy-nexus")).toContain("DELETE_DATA=true make k8s-undeploy-nexus deletes them");
      await until(async () => (await left()).length <= 6);
      expect(await left()).toContain("secrets/telemetry-pipeline-database");
      await done("k8s-undeploy-nexus", { DELETE_DATA: "true" });
      await until(async () => (await left()).length === 0);
    });
  });
}
