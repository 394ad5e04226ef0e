import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { readCompose } from "./read-compose.ts";

// The files of Prometheus and Grafana that compose.yaml mounts. test/containers/run.ts asks a Prometheus for every expression.

const root = join(import.meta.dir, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

interface Query {
  readonly expr: string;
  readonly datasource: { readonly uid: string };
}
interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource: { readonly uid: string };
  readonly targets: readonly Query[];
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
}
interface AlertFile {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

const dashboards = readdirSync(join(root, "deployments/helm/telemetry-pipeline/dashboards")).map(
  (name) => JSON.parse(read(`deployments/helm/telemetry-pipeline/dashboards/${name}`)) as Dashboard,
);
/** Those that Prometheus answers; test/grafana/ asks the others. */
const panels = dashboards.filter(({ uid }) => uid === "telemetry-pipeline").flatMap((each) => each.panels);
const alerts = (parse(read("deploy/prometheus/alerts.yml")) as AlertFile).groups.flatMap(({ rules }) => rules);
const expressions = [...panels.flatMap(({ targets }) => targets), ...alerts].map(({ expr }) => expr);

/** Names of metrics that the sources declare, as texts of their own. */
const declared = new Set(
  [...new Bun.Glob("src/**/*.ts").scanSync(root)].flatMap((path) =>
    [...read(path).matchAll(/"((?:telemetry|process)_[a-z0-9_]+)"/g)].map(([, name]) => name ?? ""),
  ),
);
/** Those of etcd that are asked for; https://etcd.io/docs/v3.5/metrics/etcd-metrics-latest.txt lists all. */
const ofEtcd = [
  "etcd_mvcc_db_total_size_in_bytes",
  "etcd_mvcc_db_total_size_in_use_in_bytes",
  "etcd_server_quota_backend_bytes",
];

test("every metric in a panel or an alert exists", () => {
  const names = expressions.flatMap((expr) => expr.match(/\b(?:telemetry|process|etcd)_[a-z0-9_]+/g) ?? []);
  expect(names.length).toBeGreaterThanOrEqual(panels.length);
  const unknown = names.filter(
    (name) =>
      !declared.has(name) && !declared.has(name.replace(/_(?:bucket|count|sum)$/, "")) && !ofEtcd.includes(name),
  );
  expect(unknown).toEqual([]);
});

test("every panel has a place of its own and asks a data source that is provisioned", () => {
  const folder = "deploy/grafana/provisioning/datasources";
  const provisioned = readdirSync(join(root, folder)).flatMap((name) => {
    const { datasources } = parse(read(`${folder}/${name}`)) as { datasources: { uid: string; url: string }[] };
    return datasources.map(({ uid, url }) => [uid, url] as const);
  });
  expect(Object.fromEntries(provisioned)).toEqual({
    ...{ prometheus: "http://prometheus:9090", "gpu-promql": "http://balancer:8000", "gpu-sql": "timescaledb:5432" },
  });
  for (const { panels: own } of dashboards) {
    expect(new Set(own.map(({ id }) => id)).size).toBe(own.length);
    expect(new Set(own.map(({ title }) => title)).size).toBe(own.length);
    const cells = own.map(({ gridPos: { x, y } }) => `${x} ${y}`);
    expect(new Set(cells).size).toBe(own.length);
    for (const { datasource, targets, gridPos } of own) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      const asked = [datasource, ...targets.map((each) => each.datasource)].map(({ uid }) => uid);
      expect(asked.filter((uid) => !provisioned.some(([known]) => known === uid))).toEqual([]);
    }
  }
});

test("Grafana finds the folders, and Prometheus the services, that compose.yaml names", () => {
  const { services } = readCompose(join(root, "compose.yaml"));
  const { providers } = parse(read("deploy/grafana/provisioning/dashboards/files.yaml")) as {
    providers: { options: { path: string } }[];
  };
  expect(providers.map(({ options }) => options.path)).toEqual(["/etc/grafana/dashboards"]);
  expect(services["grafana"]?.volumes).toContain(
    "./deployments/helm/telemetry-pipeline/dashboards:/etc/grafana/dashboards:ro",
  );

  const { scrape_configs: jobs, rule_files: rules } = parse(read("deploy/prometheus/prometheus.yml")) as {
    rule_files: string[];
    scrape_configs: {
      job_name: string;
      authorization?: { credentials_file: string };
      dns_sd_configs: { names: string[]; port: number }[];
    }[];
  };
  expect(rules).toEqual(["/etc/prometheus/alerts.yml"]);
  const [pipeline, etcd] = jobs;
  const roles = Object.entries(services).filter(([, { environment = {} }]) => environment["ROLE"] !== undefined);
  expect(pipeline?.dns_sd_configs[0]?.names.toSorted()).toEqual(roles.map(([name]) => name).sort());
  expect(roles.map(([, { environment = {} }]) => environment["PORT"])).toEqual(roles.map(() => "8080"));
  expect(pipeline?.authorization?.credentials_file).toBe("/run/monitoring/prometheus-key");
  expect(etcd?.dns_sd_configs).toMatchObject([{ names: ["etcd", "etcd-2", "etcd-3"], port: 2381 }]);
  expect(services["etcd"]?.environment?.["ETCD_LISTEN_METRICS_URLS"]).toBe("http://0.0.0.0:2381");
});
