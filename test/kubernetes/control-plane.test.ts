import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { type ControlPlane, startControlPlane } from "../../dev/servers/kubernetes/control-plane.ts";
import { until } from "../../dev/until.ts";
import { KubernetesApi } from "../../src/kubernetes/kubernetes-api.ts";
import { ServiceAccount } from "../../src/kubernetes/service-account.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { exerciseDiscovery, podRule } from "./exercise-discovery.ts";
import { exerciseExecutor } from "./exercise-executor.ts";
import { RealCluster } from "./real-cluster.ts";

// `bun run test:kubernetes` builds the control plane and sets this variable.
if (process.env.TEST_KUBERNETES === "1") testControlPlane();
else test.skip("a real control plane is tested by `bun run test:kubernetes`", () => undefined);

function testControlPlane(): void {
  describe("a real control plane", () => {
    let plane: ControlPlane;
    beforeAll(async () => {
      plane = await startControlPlane();
    });
    afterAll(() => plane.stop());

    exerciseExecutor("a real API server", () => RealCluster.open(plane, "executor"));
    exerciseDiscovery("a real API server", () => RealCluster.open(plane, "discovery"));

    test("a watch is refused with 410 after a revision from before the server's start", async () => {
      const cluster = await RealCluster.open(plane, "watches");
      const account = new ServiceAccount(await cluster.account([podRule]));
      const api = new KubernetesApi({ url: cluster.url, account, clock: systemClock });
      await cluster.loseHistory();
      const watch = async (): Promise<void> => {
        const path = "/api/v1/namespaces/watches/pods?watch=1&resourceVersion=1";
        for await (const events of api.watch(path, AbortSignal.timeout(10_000))) expect(events).toEqual([]);
      };
      expect(await watch().catch((error: unknown) => error)).toMatchObject({ code: "kubernetes_refused", status: 410 });
      await cluster.stop();
    });

    test("a coordinator's process scales gateways with the rule that it names, and says what an operator has set", async () => {
      const cluster = await RealCluster.open(plane, "coordinator");
      await cluster.addDeployment("gateway", 1);
      const process = startCoordinator(cluster, await cluster.account([]), plane);
      const url = await urlOf(process);
      const health = async (): Promise<string> => (await fetch(`${url}/health`)).text();
      await until(async () => (await health()).includes("its Role needs rules"));
      const [, rules = ""] = /its Role needs rules: (\[.*?\}\])/.exec(process.output()) ?? [];
      const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/coordinator/roles/account-0";
      await cluster.call("PATCH", rbac, { rules: Bun.YAML.parse(rules) });
      await until(async () => (await cluster.replicasOf("gateway")) === 2);
      expect(process.output()).toContain("decided numbers of processes can be carried out");
      await cluster.scale("gateway", 4);
      await process.waitFor(/a command set 4 gateways/);
      await cluster.scale("gateway", 9);
      await until(async () => (await cluster.replicasOf("gateway")) === 5);
      await cluster.setAway(true);
      await process.waitFor(/the requested numbers of processes cannot be read/);
      await cluster.setAway(false);
      await process.waitFor(/the requested numbers of processes are read again/);
      await stopPipeline(process);
      await cluster.stop();
    });
  });
}

function startCoordinator(cluster: RealCluster, dir: string, { etcdEndpoint }: ControlPlane): PipelineProcess {
  return startPipeline({
    ROLE: "coordinator",
    HOST: "127.0.0.1",
    ETCD_ENDPOINTS: etcdEndpoint,
    EXECUTOR: "kubernetes",
    KUBERNETES_SERVICE_HOST: "127.0.0.1",
    KUBERNETES_SERVICE_PORT: new URL(cluster.url).port,
    KUBERNETES_SERVICE_ACCOUNT_DIR: dir,
    SCALING_GATEWAY_WORKLOAD: "deployment/gateway",
  });
}
