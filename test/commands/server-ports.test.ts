import { expect, test } from "bun:test";
import { serverPorts } from "../../scripts/setup-etcd/server-ports.ts";

const database = (address: string, account = "telemetry:telemetry"): { DATABASE_URL: string } => ({
  DATABASE_URL: `postgres://${account}@${address}/telemetry`,
});

test("setup-etcd takes its ports from ETCD_PORT and POSTGRES_PORT, or from addresses of this machine", () => {
  expect(serverPorts({ ETCD_ENDPOINTS: "", DATABASE_URL: "" })).toEqual({
    etcd: { port: 2379 },
    postgres: { port: 5432 },
  });
  expect(serverPorts({ ETCD_PORT: "1", POSTGRES_PORT: "65534" })).toEqual({
    etcd: { port: 1, namedBy: "ETCD_PORT" },
    postgres: { port: 65_534, namedBy: "POSTGRES_PORT" },
  });
  expect(serverPorts({ ETCD_ENDPOINTS: "http://localhost:2390", ...database("127.0.0.1:5433") })).toEqual({
    etcd: { port: 2390, namedBy: "ETCD_ENDPOINTS" },
    postgres: { port: 5433, namedBy: "DATABASE_URL" },
  });
  expect(serverPorts(database("localhost")).postgres.port).toBe(5432);
  expect(serverPorts({ ETCD_PORT: "7", ETCD_ENDPOINTS: "http://127.0.0.1:7" }).etcd.port).toBe(7);
});

test.each([
  [{ ETCD_ENDPOINTS: "http://etcd-0:2379" }, "ETCD_ENDPOINTS=http://etcd-0:2379 names the host etcd-0, but"],
  [{ ETCD_ENDPOINTS: "http://[::1]:2379" }, "names the host [::1], but"],
  [{ ETCD_ENDPOINTS: "http://localhost:1,http://localhost:2" }, "names 2 members, but"],
  [{ ETCD_ENDPOINTS: "https://localhost:2379" }, "names an etcd with https, but"],
  [{ ETCD_ENDPOINTS: "localhost" }, "ETCD_ENDPOINTS=localhost is not usable"],
  [{ ETCD_ENDPOINTS: "http://localhost:65535" }, "ETCD_ENDPOINTS names port 65535, which is not usable"],
  [
    { ETCD_PORT: "1", ETCD_ENDPOINTS: "http://localhost:2" },
    "ETCD_PORT=1 contradicts ETCD_ENDPOINTS, which names port 2",
  ],
  [{ POSTGRES_PORT: "1", ...database("localhost:2") }, "POSTGRES_PORT=1 contradicts DATABASE_URL, which names port 2"],
  [{ POSTGRES_PORT: "etcd" }, "POSTGRES_PORT=etcd is not usable"],
  [database("10.0.0.5:5432"), "DATABASE_URL names the host 10.0.0.5, but"],
  [database("/run/postgresql"), "DATABASE_URL names no host"],
  [database("localhost", "me:secret"), "DATABASE_URL names another user or password than telemetry:telemetry, but"],
  [{ DATABASE_URL_FILE: "/nowhere" }, "DATABASE_URL_FILE=/nowhere cannot be read"],
])("setup-etcd refuses %o, and shows no password", (env, sentence) => {
  expect(() => serverPorts(env)).toThrow(sentence);
  expect(() => serverPorts(env)).not.toThrow("secret");
});
