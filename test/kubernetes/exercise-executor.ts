import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { untilResolved } from "../../dev/until.ts";
import { KubernetesApi } from "../../src/kubernetes/kubernetes-api.ts";
import { ServiceAccount } from "../../src/kubernetes/service-account.ts";
import { KubernetesExecutor } from "../../src/scaling/executor/kubernetes/kubernetes-executor.ts";
import type { ScaleRequest } from "../../src/scaling/executor/executor.ts";
import { readScaledWorkload } from "../../src/scaling/executor/kubernetes/scaled-workload.ts";
import { ManualClock } from "../support/manual-clock.ts";
import type { Rule, TestCluster } from "./test-cluster.ts";

const names = ["streamer", "collector", "gateway"];
/** The rule of the Role in docs/SCALING_AND_KUBERNETES.md. */
const scaleRule: Rule = {
  apiGroups: ["apps"],
  resources: ["deployments/scale"],
  resourceNames: names,
  verbs: ["get", "patch"],
};

/** The coordinator's executor on a cluster. */
export function exerciseExecutor(name: string, open: () => Promise<TestCluster>): void {
  describe(`the executor on ${name}`, () => {
    let cluster: TestCluster;
    let dir: string;
    const clock = new ManualClock();
    const stillLeads = (): Promise<boolean> => Promise.resolve(true);
    const request = { role: "collector", count: 3, term: "7", reason: "load", stillLeads } as const;

    beforeAll(async () => {
      cluster = await open();
      dir = await cluster.account([scaleRule]);
      for (const each of [...names, "other"]) await cluster.addDeployment(each, 2);
    });
    afterAll(() => cluster.stop());

    const openExecutor = (account = dir, collector = "collector"): KubernetesExecutor =>
      new KubernetesExecutor({
        api: new KubernetesApi({ url: cluster.url, account: new ServiceAccount(account), clock }),
        namespace: undefined,
        workloads: { streamer: readScaledWorkload("streamer"), collector: readScaledWorkload(collector) },
        minimums: { streamer: 1, collector: 2, gateway: 2 },
        clock,
      });
    /** Asks until no other change crosses the request, as the coordinator does. */
    const carryOut = async (executor: KubernetesExecutor, wanted: ScaleRequest): Promise<void> => {
      await untilResolved(async () => {
        await executor.requested(wanted.role, wanted.term);
        await executor.scale(wanted);
      });
    };
    const messageOf = (call: Promise<unknown>): Promise<string> =>
      call.then(
        () => "no error",
        (error: unknown) => (error as Error).message,
      );

    test("it sets the number of pods by the scale, with these rights alone, and reads it there", async () => {
      const executor = openExecutor();
      await executor.check();
      expect(await executor.requested("collector", "7")).toEqual({ count: 2, command: undefined });
      await carryOut(executor, request);
      expect(await cluster.replicasOf("collector")).toBe(3);
      expect(await executor.requested("collector", "7")).toEqual({ count: 3, command: undefined });
      await carryOut(executor, { ...request, count: 1 });
      expect(await cluster.replicasOf("collector")).toBe(2);
    });

    test("a role without a workload is not scaled", async () => {
      const executor = openExecutor();
      expect(await executor.requested("gateway", "7")).toBeUndefined();
      await executor.scale({ ...request, role: "gateway", count: 5 });
      expect(await cluster.replicasOf("gateway")).toBe(2);
    });

    test("what an operator has set is a command; what the coordinator before had set is none", async () => {
      const executor = openExecutor();
      await executor.requested("streamer", "7");
      await cluster.scale("streamer", 0);
      const command = { count: 0, atMs: clock.nowMs() };
      expect(await executor.requested("streamer", "7")).toEqual({ count: 0, command });
      await clock.advance(5000);
      expect(await executor.requested("streamer", "7")).toEqual({ count: 0, command });
      await carryOut(executor, { ...request, role: "streamer", count: 2 });
      expect(await executor.requested("streamer", "7")).toEqual({ count: 2, command });
      await cluster.scale("streamer", 4);
      expect(await executor.requested("streamer", "9")).toEqual({ count: 4, command: undefined });
    });

    test("a request that crosses another change is refused, as is that of a coordinator that leads no longer", async () => {
      const [executor, next] = [openExecutor(), openExecutor()];
      await executor.requested("collector", "7");
      await carryOut(next, { ...request, term: "8", count: 5 });
      expect(await messageOf(executor.scale({ ...request, count: 9 }))).toContain(
        `deployment/collector in the namespace ${cluster.namespace} was changed at the same time`,
      );
      expect(await messageOf(executor.scale({ ...request, term: "9" }))).toContain("deployment/collector is not known");
      expect(await cluster.replicasOf("collector")).toBe(5);
    });

    test("a missing right is told with the rule that gives it, and other workloads cannot be changed", async () => {
      const reader = await cluster.account([{ ...scaleRule, verbs: ["get"] }]);
      const missing = await messageOf(openExecutor(reader).check());
      expect(missing).toContain(
        `its Role needs rules: [{apiGroups: [apps], resources: [deployments/scale], resourceNames: [streamer, collector], verbs: [get, patch]}]`,
      );
      expect(missing).toContain('cannot patch resource "deployments/scale" in API group "apps"');
      const other = openExecutor(dir, "other");
      expect(await messageOf(other.requested("collector", "7"))).toContain('cannot get resource "deployments/scale"');
    });

    test("a workload that does not exist is told with its setting", async () => {
      await cluster.account([]);
      const absent = await cluster.account([{ ...scaleRule, resourceNames: ["streamer", "absent"] }]);
      expect(await messageOf(openExecutor(absent, "absent").check())).toContain(
        `SCALING_COLLECTOR_WORKLOAD: there is no deployment/absent in the namespace ${cluster.namespace}`,
      );
    });

    test("a renewed token is used at once", async () => {
      const executor = openExecutor();
      await executor.requested("collector", "7");
      await cluster.renewTokens();
      expect(await executor.requested("collector", "7")).toMatchObject({ command: undefined });
    });

    test("an API that is away is told, and what was lost meanwhile is known afterwards", async () => {
      const executor = openExecutor();
      await executor.requested("collector", "7");
      await cluster.setAway(true);
      expect(await messageOf(executor.requested("collector", "7"))).toContain(`does not answer at ${cluster.url}`);
      expect(await messageOf(executor.scale(request))).toContain(`does not answer at ${cluster.url}`);
      await cluster.setAway(false);
      await cluster.scale("collector", 6);
      expect((await executor.requested("collector", "7"))?.command?.count).toBe(6);
    });
  });
}
