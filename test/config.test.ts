import { describe, expect, test } from "bun:test";
import { configSchema } from "../src/config/config-schema.ts";
import { shownSettings, parseConfig } from "../src/config/parse-config.ts";
import { InvalidConfig } from "../src/domain/errors.ts";
import { pipelineRoles } from "../src/domain/role-name.ts";
import { simulatedFaults } from "../src/pipeline/source/simulated/faults/simulated-fault.ts";

function errorsOf(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof InvalidConfig) return error.errors;
    throw error;
  }
  return [];
}

describe("configuration", () => {
  test("an empty environment results in the defaults", () => {
    const config = parseConfig({});
    expect(config).toMatchObject({
      roles: [...pipelineRoles],
      host: "127.0.0.1",
      port: 8080,
      clusterId: "local-cluster",
      dataDir: "./data",
      loopMode: false,
      collectorWorkers: 8,
      shutdownTimeoutSeconds: 30,
    });
    expect(config.csvFile).toBeUndefined();
    expect(config.timestamps).toBeUndefined();
    expect(config.batchSize).toBeUndefined();
  });

  test("all errors are reported at once, each with the variable and its value", () => {
    const errors = errorsOf({ PORT: "99999", STREAM_INTERVAL: "2", LOOP_MODE: "maybe", ROLE: "streamer,cook" });
    expect(errors).toHaveLength(4);
    expect(errors.join("\n")).toContain("PORT=99999 is not usable: expected a whole number from 0 to 65535");
    expect(errors.join("\n")).toContain("STREAM_INTERVAL=2 is not usable: expected a time with its unit");
    expect(errors.join("\n")).toContain("LOOP_MODE=maybe");
    expect(errorsOf({ FAULT_WEBHOOK_SECRET: "short" }).join()).toContain("expected a text of at least 16 characters");
    expect(errors.join("\n")).toContain("ROLE=streamer,cook");
  });

  test("the error about a text says in words what is expected, with an example, and never shows a pattern", () => {
    for (const schema of Object.values(configSchema.properties) as unknown as {
      pattern?: string;
      expects?: string;
      env: string;
    }[]) {
      expect([schema.env, schema.expects !== undefined]).toEqual([schema.env, schema.pattern !== undefined]);
    }
    const errors = errorsOf({
      AUTH_BOOTSTRAP_KEY: "first",
      AUTH_PUBLIC_URL: "https://gpus.example.org/",
      AUTH_OIDC_ISSUER: "id.example.org",
      DATABASE_URL: "mysql://db",
    });
    expect(errors).toHaveLength(4);
    for (const example of [
      "openssl rand -hex 32",
      "such as https://gpus",
      "such as https://id",
      "such as postgres://",
    ]) {
      expect(errors.join("\n")).toContain(example);
    }
    expect(errors.join("\n")).not.toContain("[a-z");
  });

  test.each([
    ["2s", 2000],
    ["500ms", 500],
    ["1.5s", 1500],
    ["1m", 60_000],
    ["1h", 3_600_000],
  ])("STREAM_INTERVAL=%s is %d milliseconds", (text, milliseconds) => {
    expect(parseConfig({ STREAM_INTERVAL: text }).streamIntervalMs).toBe(milliseconds);
  });

  test("a setting that is a whole number accepts only digits", () => {
    for (const text of ["0x10", "1e3", "10.5", "ten", "-1"]) expect(errorsOf({ BATCH_SIZE: text })).toHaveLength(1);
  });

  test("the error about a list shows the form of its elements", () => {
    expect(errorsOf({ CORS_ORIGINS: "dash.example" })[0]).toContain(
      "a comma-separated list of http://host, https://host or *",
    );
    expect(errorsOf({ ETCD_ENDPOINTS: "etcd" })[0]).toContain(
      "a comma-separated list of http://host:port or https://host:port",
    );
  });

  test("the CA of the database becomes a part of its URL, whatever reads it, and contradicts another CA there", () => {
    const [DATABASE_URL, DATABASE_CA_FILE] = ["postgres://me@db/x?sslmode=verify-ca", "/ca.pem"];
    expect(parseConfig({ DATABASE_URL, DATABASE_CA_FILE }).databaseUrl).toBe(`${DATABASE_URL}&sslrootcert=%2Fca.pem`);
    const other = `${DATABASE_URL}&sslrootcert=/other.pem`;
    expect(errorsOf({ DATABASE_URL: other, DATABASE_CA_FILE })[0]).toContain("differ: set only one of them");
    expect(errorsOf({ DATABASE_CA_FILE })[0]).toContain("needs DATABASE_URL");
  });

  test("a port without TLS that leads to TLS needs TLS, and a port of its own", () => {
    expect(errorsOf({ TLS_REDIRECT_PORT: "80" })[0]).toContain("TLS_REDIRECT_PORT=80 needs TLS_CERT_FILE");
    const pair = { TLS_CERT_FILE: "a.pem", TLS_KEY_FILE: "b.pem" };
    expect(errorsOf({ ...pair, PORT: "443", TLS_REDIRECT_PORT: "443" })[0]).toContain("must differ");
    expect(errorsOf({ TLS_KEY_FILE: "b.pem" })[0]).toContain("belong together");
  });

  test("a number of proxies needs their header, in a gateway", () => {
    const hops = { HTTP_FORWARDED_HOPS: "2" };
    expect(errorsOf(hops)[0]).toContain("HTTP_FORWARDED_HOPS=2 needs HTTP_TRUST_FORWARDED_FOR=true");
    expect(errorsOf({ ...hops, HTTP_TRUST_FORWARDED_FOR: "true" })).toEqual([]);
    expect(errorsOf({ ...hops, ROLE: "collector", ETCD_ENDPOINTS: "http://etcd:2379" })).toEqual([]);
    expect(errorsOf({ HTTP_FORWARDED_HOPS: "1" })).toEqual([]);
  });

  test("a certificate for etcd is refused with http endpoints, and a client certificate without its key", () => {
    const certificate = { ETCD_CERT_FILE: "client.pem", ETCD_KEY_FILE: "client-key.pem" };
    for (const files of [certificate, { ETCD_CA_FILE: "ca.pem" }]) {
      expect(errorsOf({ ETCD_ENDPOINTS: "http://etcd:2379", ...files })[0]).toContain("need https");
      expect(errorsOf({ ETCD_ENDPOINTS: "https://etcd:2379", ...files })).toEqual([]);
    }
    expect(errorsOf({ ETCD_ENDPOINTS: "https://etcd:2379", ETCD_CERT_FILE: "client.pem" })[0]).toContain("belong");
    expect(errorsOf({ ETCD_ENDPOINTS: "http://a:2379,https://b:2379" })[0]).toContain("mixes http and https");
    expect(errorsOf(certificate)).toEqual([
      "ETCD_CERT_FILE, ETCD_KEY_FILE without ETCD_ENDPOINTS: the process would use no etcd, although these say how to reach it",
    ]);
  });

  test("a minimum above its maximum is refused, and a coordinator that would see no other process", () => {
    expect(errorsOf({ SCALING_COLLECTOR_MIN: "5", SCALING_COLLECTOR_MAX: "4" })).toEqual([
      "SCALING_COLLECTOR_MIN=5 is above SCALING_COLLECTOR_MAX=4",
    ]);
    expect(errorsOf({ ROLE: "coordinator" })[0]).toContain("ROLE=coordinator needs ETCD_ENDPOINTS");
    expect(errorsOf({ ROLE: "coordinator", ETCD_ENDPOINTS: "http://etcd:2379" })).toEqual([]);
    expect(errorsOf({ ROLE: "streamer,collector,gateway,coordinator" })).toEqual([]);
  });

  test("what would be done in Kubernetes needs an API server, and one workload for each role that is scaled", () => {
    const inPod = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };
    const both = { EXECUTOR: "kubernetes", DCGM_DISCOVERY: "kubernetes", SCALING_COLLECTOR_WORKLOAD: "deployment/c" };
    expect(errorsOf({ ...both, ...inPod })).toEqual([]);
    expect(errorsOf({ ...both, KUBERNETES_API_URL: "http://127.0.0.1:8001" })).toEqual([]);
    expect(errorsOf(both)).toEqual([
      "EXECUTOR=kubernetes and DCGM_DISCOVERY=kubernetes: outside a cluster, KUBERNETES_API_URL has to name the API server",
    ]);
    expect(errorsOf({ EXECUTOR: "kubernetes", ...inPod })[0]).toContain("needs a workload: SCALING_COLLECTOR_WORKLOAD");
    expect(errorsOf({ ...both, ...inPod, SCALING_GATEWAY_WORKLOAD: "deployment/c" })[0]).toContain("name one workload");
    expect(errorsOf({ SCALING_GATEWAY_WORKLOAD: "daemonset/x" })[0]).toContain("expected deployment/name");
    expect(errorsOf({ DCGM_DISCOVERY: "consul" })[0]).toContain("DCGM_DISCOVERY=consul is not usable");
  });

  test("an empty variable counts as absent, and spaces around a value are ignored", () => {
    expect(parseConfig({ PORT: "", CLUSTER_ID: " east " })).toMatchObject({ port: 8080, clusterId: "east" });
  });

  test("a streamer without a collector is refused if the queue is in memory", () => {
    expect(errorsOf({ ROLE: "streamer" })[0]).toContain("must run in one process");
    expect(errorsOf({ ROLE: "gateway" })).toEqual([]);
    expect(errorsOf({ ROLE: "streamer, collector" })).toEqual([]);
  });

  test("settings of exporters that contradict each other are refused; a password is read from a file", () => {
    expect(errorsOf({ DCGM_TARGETS: "a:9400, b", DCGM_INTERVAL: "5s", DCGM_TIMEOUT: "4s" })).toEqual([]);
    expect(errorsOf({ DCGM_INTERVAL: "5s", DCGM_TIMEOUT: "5s" })[0]).toContain("DCGM_TIMEOUT=5000ms is not below");
    expect(errorsOf({ DCGM_USERNAME: "a" })[0]).toContain("belong together");
    expect(errorsOf({ DCGM_USERNAME: "a", DCGM_PASSWORD: "b", DCGM_BEARER_TOKEN: "c" })[0]).toContain("exclude");
    expect(errorsOf({ DCGM_CERT_FILE: "a.pem" })[0]).toContain("DCGM_CERT_FILE and DCGM_KEY_FILE");
    const shown = shownSettings(parseConfig({ DCGM_BEARER_TOKEN: "geheim" }));
    expect(shown.find(({ env }) => env === "DCGM_BEARER_TOKEN")?.value).toBe("(hidden)");
  });

  test("settings of people that contradict each other, or would be unsafe, are refused", () => {
    const issuer = { AUTH_OIDC_ISSUER: "https://id.example.org/realms/gpus", AUTH_MAPPING_FILE: "mapping.json" };
    const people = { ...issuer, AUTH_OIDC_CLIENT_ID: "gateway" };
    expect(errorsOf(people)).toEqual([]);
    expect(errorsOf({ ...issuer, AUTH_OIDC_AUDIENCE: "api", HOST: "0.0.0.0" })).toEqual([]);
    expect(errorsOf({ ...people, HOST: "0.0.0.0", AUTH_PUBLIC_URL: "https://gpus.example.org" })).toEqual([]);
    expect(errorsOf({ ...people, HOST: "0.0.0.0" })[0]).toContain("needs AUTH_PUBLIC_URL");
    expect(errorsOf(issuer)[0]).toContain("needs AUTH_OIDC_CLIENT_ID");
    expect(errorsOf({ ...people, AUTH_MAPPING_FILE: "" })[0]).toContain("needs AUTH_MAPPING_FILE");
    expect(errorsOf({ ...people, AUTH: "off" })[0]).toContain("AUTH=off and AUTH_OIDC_ISSUER contradict");
    expect(errorsOf({ ...people, AUTH_OIDC_SCOPES: "profile" })[0]).toContain("lacks openid");
    expect(errorsOf({ ...people, AUTH_OIDC_ISSUER: "http://id.example.org" })[0]).toContain("is not https");
    for (const own of ["http://localhost:8090", "http://127.0.0.1:8090", "http://[::1]:8090"]) {
      expect(errorsOf({ ...people, AUTH_OIDC_ISSUER: own })).toEqual([]);
    }
    expect(errorsOf({ AUTH_MAPPING_FILE: "mapping.json" })[0]).toContain(
      "needs AUTH_OIDC_ISSUER or AUTH_CLIENT_CA_FILE",
    );
    const alone = { AUTH_OIDC_AUDIENCE: "api", AUTH_OIDC_CLIENT_SECRET: "s" };
    expect(errorsOf(alone)).toEqual([
      "AUTH_OIDC_CLIENT_SECRET, AUTH_OIDC_AUDIENCE: without AUTH_OIDC_ISSUER, there is no provider",
    ]);
    for (const url of ["gpus.example.org", "https://gpus.example.org/", "https://gpus.example.org/x", "javascript:x"]) {
      expect(errorsOf({ ...people, AUTH_PUBLIC_URL: url })[0]).toContain("AUTH_PUBLIC_URL");
    }
  });

  test("LOOP_MODE and TIMESTAMPS are refused without CSV_FILE", () => {
    expect(errorsOf({ LOOP_MODE: "true", TIMESTAMPS: "now" })).toHaveLength(2);
    expect(errorsOf({ LOOP_MODE: "true", TIMESTAMPS: "now", CSV_FILE: "fleet.csv" })).toEqual([]);
  });

  test("a share is a number from 0 to 1, and shares of GPUs that exclude each other are at most 1 together", () => {
    expect(parseConfig({ SIM_MIG: "0.25", SIM_SERIES: ".5" })).toMatchObject({ simMig: 0.25, simSeries: 0.5 });
    expect(parseConfig({})).toMatchObject({ simMig: 0, simTimeSlicing: 0, simVgpu: 0, simSeries: 0 });
    for (const text of ["1.5", "-0.1", "half", "1e-1", "25%"]) {
      expect(errorsOf({ SIM_MIG: text })[0]).toContain("expected a number from 0 to 1");
    }
    expect(errorsOf({ SIM_MIG: "0.1", SIM_TIME_SLICING: "0.2", SIM_VGPU: "0.7" })).toEqual([]);
    expect(errorsOf({ SIM_MIG: "0.6", SIM_VGPU: "0.5" })[0]).toContain("SIM_MIG=0.6");
  });

  test("accepts faults of the simulated fleet with their times", () => {
    expect(parseConfig({})).toMatchObject({ simFaults: ["random"] });
    const simFaults = ["device.gone", "gpu.temperature.high@10m-40m", ...Object.keys(simulatedFaults)];
    expect(parseConfig({ SIM_FAULTS: simFaults.join() })).toMatchObject({ simFaults });
    expect(() => parseConfig({ SIM_FAULTS: "device.gone@soon" })).toThrow("SIM_FAULTS=device.gone@soon is not usable");
  });

  test("the table of the effective configuration shows values, defaults and descriptions", () => {
    const rows = new Map(shownSettings(parseConfig({ PORT: "9090" })).map((row) => [row.env, row]));
    expect(rows.get("PORT")).toMatchObject({ value: "9090", default: "8080" });
    expect(rows.get("ROLE")).toMatchObject({ value: pipelineRoles.join(",") });
    for (const row of rows.values()) expect(row.description).not.toBe("");
  });
});

test.each([
  "http://user:zq7x@etcd:2379",
  "http://a:2379,http://user:zq7x/kw9v@b:2379",
  "http://user:zq@7x,kw9v@etcd:2379",
  "user:zq7x@etcd:2379",
])("a user and a password in ETCD_ENDPOINTS=%s are not shown, and the error says where they belong", (endpoints) => {
  const [error] = errorsOf({ ETCD_ENDPOINTS: endpoints });
  expect(error).toContain("(hidden)@");
  expect(error).toContain("the user in ETCD_USERNAME and ETCD_PASSWORD");
  expect(error).not.toMatch(/zq|7x|kw9v/);
});

test.each([
  ["ETCD_ENDPOINTS", "http://h:2379?token=zq7x"],
  ["ETCD_ENDPOINTS", "http://h:2379/?password=zq7x,kw9v,http://i:2379#zq7x"],
  ["AUTH_OIDC_ISSUER", "https://id?client_secret=zq7x"],
  ["AUTH_OIDC_ISSUER", "https://id/#zq7x"],
])("what follows the path of a URL is not shown: %s=%s", (setting, url) => {
  const errors = errorsOf({ [setting]: url }).join("\n");
  expect(errors).toContain(`${setting}=${url.slice(0, url.search(/[?#]/) + 1)}(hidden)`);
  expect(errors).not.toMatch(/zq|7x|kw9v/);
});

test.each(["http://etcd:0", "http://etcd:65536", "http://etcd:99999", "http://etcd:02379", "http://a:1:2379"])(
  "the impossible port in ETCD_ENDPOINTS=%s is refused",
  (endpoints) => {
    expect(errorsOf({ ETCD_ENDPOINTS: endpoints })[0]).toContain("with a port from 1 to 65535");
  },
);

test.each(["http://etcd-0.etcd:2379", "http://[::1]:65535", "http://10.0.0.1:1"])(
  "ETCD_ENDPOINTS=%s is taken",
  (url) => {
    expect(errorsOf({ ETCD_ENDPOINTS: url })).toEqual([]);
  },
);
