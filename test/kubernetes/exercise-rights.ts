import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { until, untilResolved } from "../../dev/until.ts";
import { envOf } from "../chart/render-chart.ts";
import type { Administrator } from "./administrator.ts";
import { ChartCluster } from "./chart-cluster.ts";
import { RealCluster } from "./real-cluster.ts";

const prefix = "telemetry-pipeline-nexus";
/** Of two addresses of this machine, one for each pod of an exporter. */
const hosts = ["127.0.0.11", "127.0.0.12"] as const;

/** The rights that the chart gives to the coordinator and to streamers, and the programs that use them. */
export function exerciseRights(open: () => Administrator): void {
  describe("the service accounts of the chart", () => {
    const folder = mkdtempSync(join(tmpdir(), "chart-accounts-"));
    const scrapes: string[] = [];
    let cluster: ChartCluster;
    let exporters: RealCluster;
    let exporter: Bun.Server<undefined>;

    beforeAll(async () => {
      const api = open();
      cluster = await ChartCluster.open(api, "rights");
      exporters = await RealCluster.open(api.plane, "exporters");
      exporter = Bun.serve({
        ...{ hostname: "0.0.0.0", port: 0 },
        fetch: ({ url }) => (scrapes.push(new URL(url).hostname), new Response("")),
      });
      const discovery = {
        enabled: true,
        selector: "app=exporter",
        port: String(exporter.port),
        namespace: "exporters",
      };
      const set = Object.entries(discovery).map(
        ([name, value]) => `nexusStreamer.exporters.discovery.${name}=${value}`,
      );
      const values = ["values-nexus.yaml", "autoscaling.mode=coordinator", "nexusStreamer.settings.DCGM_INTERVAL=1s"];
      const small = ["etcd.persistence.enabled=false", "database.trial.persistence.enabled=false"];
      await cluster.helm(["install", "--wait", "--timeout", "60s"], [...values, ...small, ...set]);
    });
    afterAll(async () => {
      await cluster.helm(["uninstall", "--wait"]);
      await exporters.stop();
      await exporter.stop(true);
      rmSync(folder, { recursive: true });
    });

    const tokenOf = async (account: string): Promise<string> => {
      const answer = await cluster.api.call("POST", cluster.path(`v1/serviceaccounts/${account}/token`), { spec: {} });
      return (answer as { status: { token: string } }).status.token;
    };
    const callAs = async (token: string, method: string, path: string, body?: object): Promise<Response> =>
      fetch(cluster.api.plane.url + path, {
        ...{ method, body: body === undefined ? null : JSON.stringify(body), tls: { ca: cluster.api.ca } },
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
        },
      });
    const rulesOf = async (account: string, namespace: string): Promise<readonly object[]> => {
      const path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
      const answer = await callAs(await tokenOf(account), "POST", path, { spec: { namespace } });
      return ((await answer.json()) as { status: { resourceRules: object[] } }).status.resourceRules;
    };
    /** What a role's account may do in a namespace and every other account may not. */
    const rightsOf = async (role: string, namespace: string): Promise<readonly object[]> => {
      const everyone = await rulesOf("default", namespace);
      const rules = await rulesOf(`${prefix}-${role}`, namespace);
      return rules.filter((rule) => !everyone.some((each) => Bun.deepEquals(each, rule)));
    };
    /** Starts the program with what the chart sets, except its servers and files. */
    const start = async (role: string): Promise<PipelineProcess> => {
      const { plane, ca } = cluster.api;
      const dir = join(folder, role);
      mkdirSync(dir);
      writeFileSync(join(dir, "token"), await tokenOf(`${prefix}-${role}`));
      writeFileSync(join(dir, "ca.crt"), ca);
      writeFileSync(join(dir, "namespace"), cluster.namespace);
      const settings = Object.entries(envOf(await cluster.containerOf(role)));
      return startPipeline({
        ...Object.fromEntries(settings.filter(([name]) => !name.endsWith("_FILE"))),
        ...{ HOST: "127.0.0.1", PORT: "0", QUEUE_TOPIC: "rights", ETCD_ENDPOINTS: plane.etcdEndpoint },
        ...{ KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: new URL(plane.url).port },
        ...{ KUBERNETES_SERVICE_ACCOUNT_DIR: dir },
      });
    };
    const replicasOf = async (role: string): Promise<number> => {
      const scale = await cluster.api.call("GET", cluster.path(`apps/v1/deployments/${prefix}-${role}/scale`));
      return (scale as { spec: { replicas?: number } }).spec.replicas ?? 0;
    };

    test("the coordinator may read and change three numbers, streamers may list pods where exporters are, others nothing", async () => {
      const resourceNames = ["streamer", "collector", "gateway"].map((role) => `${prefix}-${role}`);
      const scale = { apiGroups: ["apps"], resources: ["deployments/scale"], resourceNames, verbs: ["get", "patch"] };
      expect(await rightsOf("coordinator", "rights")).toEqual([scale]);
      expect(await rightsOf("coordinator", "exporters")).toEqual([]);
      expect(await rightsOf("streamer", "exporters")).toEqual([
        { apiGroups: [""], resources: ["pods"], verbs: ["list", "watch"] },
      ]);
      expect(await rightsOf("streamer", "rights")).toEqual([]);
      for (const role of ["collector", "gateway"]) expect(await rightsOf(role, "rights")).toEqual([]);
    });

    test("with the coordinator's token, the API scales the chart's Deployments and refuses everything else", async () => {
      const token = await tokenOf(`${prefix}-coordinator`);
      const deployments = cluster.path("apps/v1/deployments");
      const scaled = { spec: { replicas: 2 } };
      const refused = [
        ["PATCH", `${deployments}/${prefix}-coordinator/scale`, scaled],
        ["PATCH", `${deployments}/${prefix}-collector`, scaled],
        ["DELETE", `${deployments}/${prefix}-collector`],
        ["PATCH", `${cluster.path("apps/v1/statefulsets")}/telemetry-pipeline-etcd/scale`, scaled],
        ["GET", cluster.path("v1/secrets/telemetry-pipeline-database")],
        ["GET", cluster.path("v1/pods")],
        ["PATCH", `/apis/apps/v1/namespaces/exporters/deployments/${prefix}-collector/scale`, scaled],
      ] as const;
      for (const [method, path, body] of refused) {
        expect([method, path, (await callAs(token, method, path, body)).status]).toEqual([method, path, 403]);
      }
      expect((await callAs(token, "PATCH", `${deployments}/${prefix}-collector/scale`, scaled)).status).toBe(200);
      expect(await replicasOf("collector")).toBe(2);
    });

    test("the coordinator's program, with the chart's settings and its token, scales the chart's gateways", async () => {
      const patch = (replicas: number) =>
        cluster.api.call("PATCH", cluster.path(`apps/v1/deployments/${prefix}-gateway/scale`), { spec: { replicas } });
      await patch(1);
      const process = await start("coordinator");
      await until(async () => (await replicasOf("gateway")) === 2);
      await patch(9);
      await until(async () => (await replicasOf("gateway")) === 5);
      expect(process.output()).not.toContain("rules:");
      await stopPipeline(process);
    });

    test("a streamer, with the chart's settings and its token, scrapes exporters as their pods come and go", async () => {
      const pod = (index: 0 | 1) => ({
        ...{ name: `exporter-${index}`, labels: { app: "exporter" } },
        ...{ nodeName: `node-${index}`, ip: hosts[index] },
      });
      await exporters.putPod(pod(0));
      const process = await start("streamer");
      const url = await urlOf(process);
      /** Whether the exporter is scraped in the time of one and a half intervals. */
      const isScraped = async (host: string): Promise<boolean> => {
        scrapes.length = 0;
        await Bun.sleep(1500);
        return scrapes.includes(host);
      };
      await until(() => isScraped(hosts[0]));
      expect(await isScraped(hosts[1])).toBe(false);
      await exporters.putPod(pod(1));
      await until(() => isScraped(hosts[1]));
      await exporters.deletePod("exporter-0");
      await until(async () => !(await isScraped(hosts[0])));
      expect(await isScraped(hosts[1])).toBe(true);
      const health = await untilResolved(async () => (await fetch(`${url}/health`)).text());
      expect(health).not.toContain("rules:");
      await stopPipeline(process);
    });
  });
}
