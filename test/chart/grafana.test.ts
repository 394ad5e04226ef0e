import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { dashboards } from "../grafana/dashboard.ts";
import { type KubernetesObject, member, objectOf, renderChart } from "./render-chart.ts";

setDefaultTimeout(60_000);

const provisioning = join(import.meta.dir, "../../deploy/grafana/provisioning/datasources");
const example = "examples/grafana.yaml";
const isForGrafana = ({ metadata }: KubernetesObject): boolean =>
  metadata.labels?.["app.kubernetes.io/component"] === "grafana";

interface DataSource {
  readonly name: string;
  readonly uid: string;
  readonly url: string;
  readonly isDefault?: boolean;
  readonly secureJsonData?: Readonly<Record<string, string>>;
  readonly jsonData?: object;
}

const sourcesIn = (text: string): readonly DataSource[] => {
  const { apiVersion, datasources } = parse(text) as {
    readonly apiVersion: number;
    readonly datasources: readonly DataSource[];
  };
  expect(apiVersion).toBe(1);
  return datasources;
};

/** The data sources that the chart makes, by their uids. */
function sourcesOf(values: string, ...set: readonly string[]): Readonly<Record<string, DataSource>> {
  const objects = renderChart({ files: [values], set: ["grafana.dataSources.enabled=true", ...set] });
  const { data = {} } = objectOf(objects, "ConfigMap", "data-sources");
  expect(Object.keys(data)).toEqual(["telemetry-pipeline.yaml"]);
  return Object.fromEntries(sourcesIn(data["telemetry-pipeline.yaml"] ?? "").map((each) => [each.uid, each]));
}

/** What two kinds of installations have in common: neither addresses nor secrets. */
const common = (source: DataSource) => ({
  ...source,
  ...{ name: "", url: "", isDefault: false },
  secureJsonData: Object.keys(source.secureJsonData ?? {}),
  jsonData: { ...source.jsonData, sslmode: "" },
});

test("without being asked to, the chart makes nothing for Grafana", () => {
  for (const file of ["values-nexus.yaml", "values-production.yaml"]) {
    expect([file, renderChart({ files: [file] }).filter(isForGrafana)]).toEqual([file, []]);
  }
});

test("each dashboard that test/grafana asks is in a ConfigMap, as the sidecar of Grafana's chart finds it", () => {
  const made = renderChart({ files: ["values-production.yaml", example] }).filter(
    ({ metadata }) => metadata.labels?.["grafana_dashboard"] === "1",
  );
  const contents = made.map(({ metadata, data = {} }) => {
    expect(metadata).toMatchObject({ namespace: "monitoring", annotations: { grafana_folder: "GPU telemetry" } });
    return Object.entries(data).map(([file, text]) => [file, JSON.parse(text) as unknown]);
  });
  const expected = [...dashboards].map(([file, dashboard]) => [[`telemetry-pipeline-${file}`, dashboard]]);
  expect(expected.length).toBeGreaterThanOrEqual(7);
  expect(contents).toEqual(expected);
});

describe("the data sources", () => {
  test("are those that the dashboards ask, and differ from those of compose.yaml in addresses and secrets only", () => {
    const sources = sourcesOf("values-nexus.yaml", "grafana.dataSources.prometheusUrl=http://prometheus:9090");
    const asked = [...dashboards.values()].flatMap(({ panels }) => panels.map(({ datasource }) => datasource.uid));
    expect(Object.keys(sources).sort()).toEqual([...new Set(asked)].sort());
    for (const file of readdirSync(provisioning)) {
      for (const composed of sourcesIn(readFileSync(join(provisioning, file), "utf8"))) {
        expect(common(sources[composed.uid] as DataSource)).toEqual(common(composed));
      }
    }
    // kube-prometheus-stack brings one with the uid prometheus
    expect(Object.keys(sourcesOf("values-nexus.yaml")).sort()).toEqual(["gpu-promql", "gpu-sql"]);
  });

  test("name secrets by variables of Grafana's environment, and say nothing about what is in them", () => {
    const objects = renderChart({ files: ["values-nexus.yaml", example] });
    expect(objects.filter(isForGrafana).map(({ kind }) => kind)).toEqual(Array(8).fill("ConfigMap"));
    const sources = sourcesOf("values-nexus.yaml", "grafana.dataSources.keyVariable=OTHER_KEY");
    expect(Object.values(sources).map(({ secureJsonData }) => secureJsonData)).toEqual([
      { basicAuthPassword: "$OTHER_KEY" },
      { password: "$TELEMETRY_DATABASE_PASSWORD" },
    ]);
  });

  test("lead to the Service of the gateways, and to the trial database or the one that is named", () => {
    const gateway = "telemetry-pipeline-nexus-gateway.telemetry-system.svc:8080";
    expect(sourcesOf("values-nexus.yaml")).toMatchObject({
      "gpu-promql": { url: `http://${gateway}` },
      "gpu-sql": { url: "telemetry-pipeline-database.telemetry-system.svc:5432", jsonData: { sslmode: "disable" } },
    });
    const host = "grafana.dataSources.database.host=db.example.org";
    expect(sourcesOf("values-production.yaml", `${host},database.port=6432`)["gpu-sql"]).toMatchObject({
      url: "db.example.org:6432",
      jsonData: { sslmode: "require" },
    });
    const tls = [
      "nexusGateway.tls.existingSecret=gateway-tls,grafana.dataSources.gateway.caFile=/run/ca.crt",
      `${host},grafana.dataSources.database.caFile=/run/ca.crt,grafana.dataSources.database.sslMode=verify-full`,
    ];
    expect(sourcesOf("values-production.yaml", ...tls)).toMatchObject({
      "gpu-promql": {
        url: `https://${gateway}`,
        jsonData: { tlsAuthWithCACert: true },
        secureJsonData: { tlsCACert: "$__file{/run/ca.crt}" },
      },
      "gpu-sql": {
        jsonData: { sslmode: "verify-full", tlsConfigurationMethod: "file-path", sslRootCertFile: "/run/ca.crt" },
      },
    });
  });

  test("of a trial database need a way in, which the network policy opens for Grafana alone", () => {
    const from = (files: readonly string[]) =>
      member(objectOf(renderChart({ files }), "NetworkPolicy", "database"), "spec.ingress.0.from");
    expect(from(["values-nexus.yaml"])).toHaveLength(1);
    expect(from(["values-nexus.yaml", example])).toMatchObject([
      {},
      { podSelector: { matchLabels: { "app.kubernetes.io/name": "grafana" } } },
    ]);
  });
});
