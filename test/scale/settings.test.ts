import { expect, test } from "bun:test";
import { parseConfig, shownSettings } from "../../src/config/parse-config.ts";
import {
  environmentOf,
  mergeSettings,
  settingsIn,
  settingsKey,
  withoutSettings,
} from "../../scripts/supervisor/child-settings.ts";
import { probeOrigin } from "../../scripts/scale/probe.ts";
import { countForRole, countsForAll } from "../../scripts/scale/requested-counts.ts";

const socket = "/run/supervisor.sock";

test("INSTANCES holds for each role that has no variable of its own; two by default, a balancer, and no coordinator", () => {
  expect(countsForAll({}, {})).toEqual({ streamer: 2, collector: 2, gateway: 2, balancer: 1 });
  const withoutGateway = { streamer: 3, collector: 3, gateway: 0, balancer: 0 };
  expect(countsForAll({ INSTANCES: "3", API_GW_INSTANCES: "0" }, {})).toEqual(withoutGateway);
  expect(countsForAll({ BALANCER_INSTANCES: "0" }, {})).toMatchObject({ gateway: 2, balancer: 0 });
  expect(countsForAll({ COORDINATOR_INSTANCES: "1" }, {})).toMatchObject({ coordinator: 1 });
});

test("without INSTANCES, roles that run keep their numbers: a plain scale-local stops nothing that was grown before", () => {
  const running = { streamer: 5, collector: 1, gateway: 3, coordinator: 1 };
  expect(countsForAll({}, running)).toEqual({ balancer: 1 });
  expect(countsForAll({ COLLECTOR_INSTANCES: "2" }, running)).toEqual({ collector: 2, balancer: 1 });
  expect(countsForAll({}, { ...running, gateway: 0 })).toEqual({ gateway: 2, balancer: 1 });
  expect(countsForAll({ API_GW_INSTANCES: "0" }, running)).toEqual({ gateway: 0, balancer: 0 });
  expect(countsForAll({ INSTANCES: "1" }, running)).toEqual({ streamer: 1, collector: 1, gateway: 1, balancer: 1 });
});

test("a command for one role needs a number", () => {
  expect(countForRole("streamer", { STREAMER_INSTANCES: "5", INSTANCES: "2" })).toEqual({ streamer: 5 });
  expect(countForRole("gateway", { INSTANCES: "2" })).toEqual({ gateway: 2 });
  expect(() => countForRole("collector", {})).toThrow(
    "how many collectors? For example: COLLECTOR_INSTANCES=3 bun run scale-collectors",
  );
  for (const text of ["-1", "1.5", "101", "many", "1e2"]) {
    expect(() => countForRole("collector", { COLLECTOR_INSTANCES: text })).toThrow(
      `COLLECTOR_INSTANCES=${text} is not usable: expected a whole number from 0 to 100`,
    );
  }
});

test("a command takes along the settings that were typed, with absolute paths, and no others", () => {
  const typed = settingsIn({ CSV_FILE: "a.csv", PORT: "9000", PATH: "/bin", ROLE: "gateway", INSTANCE_NAME: "x" });
  expect(typed).toEqual({ CSV_FILE: `${process.cwd()}/a.csv`, PORT: "9000" });
  expect(settingsIn({ DATABASE_URL_FILE: "/secret", STREAMER_PORT: "1" })).toEqual({
    DATABASE_URL_FILE: "/secret",
    STREAMER_PORT: "1",
  });
});

test("every file that a setting names has an absolute path in a process, which runs in another folder", () => {
  const names = shownSettings(parseConfig({})).flatMap(({ env }) => (env.endsWith("_FILE") ? [env] : []));
  const secrets = ["AUTH_OIDC_CLIENT_SECRET_FILE", "AUTH_BOOTSTRAP_KEY_FILE"];
  expect(names).toContain("AUTH_OIDC_JWKS_FILE");
  for (const name of [...names, ...secrets]) {
    expect(settingsIn({ [name]: "a" })).toMatchObject({ [name]: `${process.cwd()}/a` });
  }
});

test("the ports of setup-etcd's servers are settings too, unless others name the servers", () => {
  const ports = { ETCD_PORT: "2390", POSTGRES_PORT: "5433" };
  expect(settingsIn(ports)).toEqual({
    ETCD_ENDPOINTS: "http://localhost:2390",
    DATABASE_URL: "postgres://telemetry:telemetry@127.0.0.1:5433/telemetry",
  });
  const named = { ETCD_ENDPOINTS: "http://etcd-0:2379", DATABASE_URL_FILE: "/secret" };
  expect(settingsIn({ ...ports, ...named })).toEqual(named);
});

test("a setting stays until another command changes it; an empty one takes it back", () => {
  expect(mergeSettings({ CSV_FILE: "/a.csv", PORT: "1" }, { PORT: "2" })).toEqual({ CSV_FILE: "/a.csv", PORT: "2" });
  expect(mergeSettings({ CSV_FILE: "/a.csv", PORT: "1" }, { CSV_FILE: "" })).toEqual({ PORT: "1" });
  expect(settingsKey({ A: "1", B: "2" })).toBe(settingsKey({ B: "2", A: "1" }));
});

test("a process gets its role, name and port, and the servers of setup-etcd unless others are set", () => {
  const gateway = environmentOf({ role: "gateway", number: 3, socket }, { PORT: "8090", SIM_HOSTS: "9" });
  expect(gateway).toMatchObject({
    ...{ ROLE: "gateway", INSTANCE_NAME: "gateway-3", PORT: "8092", SIM_HOSTS: "9" },
    ...{ ETCD_ENDPOINTS: "http://localhost:2379", SHUTDOWN_TIMEOUT_SECONDS: "28" },
    DATABASE_URL: "postgres://telemetry:telemetry@127.0.0.1:5432/telemetry",
  });
  expect(environmentOf({ role: "streamer", number: 1, socket }, { PORT: "8090" })).toMatchObject({ PORT: "9100" });
  const balancer = environmentOf({ role: "balancer", number: 1, socket }, { PORT: "8090" });
  expect(balancer).toMatchObject({ BALANCER_PORT: "8000", INSTANCE_NAME: "balancer-1" });
  expect(balancer).not.toHaveProperty("ROLE");
  expect(environmentOf({ role: "collector", number: 2, socket }, { DATABASE_URL_FILE: "/secret" })).not.toHaveProperty(
    "DATABASE_URL",
  );
});

test("with TLS, only the balancer has the port that leads to it, and processes are asked over https", () => {
  const settings = { TLS_CERT_FILE: "/a.pem", TLS_KEY_FILE: "/a-key.pem", TLS_REDIRECT_PORT: "80" };
  const portOf = (role: "gateway" | "balancer") =>
    parseConfig(environmentOf({ role, number: 1, socket: "/run/supervisor.sock" }, settings)).tlsRedirectPort;
  expect([portOf("gateway"), portOf("balancer")]).toEqual([undefined, 80]);
  expect([probeOrigin({}), probeOrigin({ ...settings, HOST: "::1" })]).toEqual(["http://127.0.0.1", "https://[::1]"]);
});

test("only gateways drain, and a short time to stop leaves them some of it", () => {
  const drain = (role: "gateway" | "collector", settings: Record<string, string>): unknown => {
    const env = environmentOf({ role, number: 1, socket }, settings);
    expect(parseConfig(env).shutdownTimeoutSeconds).toBeGreaterThan(0);
    return [env.SHUTDOWN_DRAIN_SECONDS, env.SHUTDOWN_TIMEOUT_SECONDS];
  };
  expect(drain("gateway", {})).toEqual(["3", "28"]);
  expect(drain("collector", { SHUTDOWN_DRAIN_SECONDS: "5" })).toEqual(["0", "28"]);
  expect(drain("gateway", { SHUTDOWN_DRAIN_SECONDS: "5" })).toEqual(["5", "28"]);
  expect(drain("gateway", { SHUTDOWN_TIMEOUT_SECONDS: "5" })).toEqual(["2", "3"]);
  expect(drain("gateway", { SHUTDOWN_TIMEOUT_SECONDS: "1" })).toEqual(["0", "1"]);
});

test("the settings of the shell that started the supervisor do not reach later processes by themselves", () => {
  expect(withoutSettings({ PATH: "/bin", CSV_FILE: "a.csv", ROLE: "all", DATABASE_URL: "x" })).toEqual({
    PATH: "/bin",
  });
});
