import { describe, expect, test } from "bun:test";
import net from "node:net";
import { until } from "../../dev/until.ts";
import type { TelemetryQueries } from "../../src/pipeline/store/telemetry-queries.ts";
import { gatewayOver, openFleetStore } from "./gateway.ts";
import { listening } from "../support/listening.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

const running = fleetGateway();

interface ApiError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly details: Record<string, unknown>;
}

async function errorOf(path: string, init?: RequestInit): Promise<ApiError> {
  const response = await running.gateway.get(path, init);
  const body = (await response.json()) as { success: boolean; error: Omit<ApiError, "status"> };
  expect(body.success).toBe(false);
  expect(Object.keys(body)).toEqual(["success", "error"]);
  return { status: response.status, ...body.error };
}

const telemetryPaths = [
  "/api/v1/gpus/GPU-host-a-0/telemetry",
  "/api/v1/clusters/alpha/hosts/host-a/gpus/0/metrics",
  "/api/v1/telemetry",
  "/api/v1/telemetry/latest",
];

describe("an error names the unusable parameter", () => {
  for (const path of telemetryPaths) {
    test(`for ${path}`, async () => {
      for (const value of ["0", "10001", "-1", "5.5", "abc", "", "1e2", "0x10", " 5", "999999999999999999999"]) {
        expect(await errorOf(`${path}?limit=${encodeURIComponent(value)}`)).toEqual({
          status: 400,
          code: "invalid_parameter",
          message: `limit=${JSON.stringify(value)} is not usable; expected a whole number from 1 to 10000`,
          details: { parameter: "limit", value, expected: "a whole number from 1 to 10000" },
        });
      }
      expect(await errorOf(`${path}?start_time=yesterday`)).toMatchObject({
        status: 400,
        code: "invalid_parameter",
        message:
          'start_time="yesterday" is not usable: it is not an RFC 3339 date-time; expected RFC 3339 with zone, such as 2025-07-18T20:42:34Z, or a time from now, such as -1h, -7d or now',
        details: { parameter: "start_time", value: "yesterday" },
      });
      const filters = ["gpu_uuid", "parent_uuid", "cluster_id", "hostname", "model", "namespace"];
      const accepted = [
        ...["start_time", "end_time", "limit", "order", "metrics"],
        ...(path.endsWith("/latest") ? [] : ["resolution", "cursor"]),
        ...(path.startsWith("/api/v1/telemetry") ? filters : []),
        ...(path.endsWith("/latest") ? ["cursor"] : []),
      ];
      expect(await errorOf(`${path}?gpu=1`)).toEqual({
        status: 400,
        code: "unknown_parameter",
        message: `There is no parameter "gpu" here; expected ${accepted.join(", ")}`,
        details: { parameter: "gpu", known: accepted },
      });
    });
  }

  const instants: [text: string, reason: string][] = [
    ["2025-07-18T20:42:34+02:00", "write %2B instead of +"],
    ["2025-07-18T20:42:34", "the zone is missing"],
    ["2025-07-18", "the time of day is missing"],
    ["2025", "not an RFC 3339 date-time"],
    ["1752871354", "not an RFC 3339 date-time"],
    ["2025-07-18%2020:42:34Z", "not an RFC 3339 date-time"],
    ["2025-07-18T20:42Z", "not an RFC 3339 date-time"],
    ["2025-02-30T00:00:00Z", "2025-02 has no day 30"],
    ["2023-02-29T00:00:00Z", "2023-02 has no day 29"],
    ["1900-02-29T00:00:00Z", "1900-02 has no day 29"],
    ["2025-13-01T00:00:00Z", "no month 13"],
    ["2025-00-01T00:00:00Z", "no month 00"],
    ["2025-07-18T24:00:00Z", "no such time of day"],
    ["2025-07-18T20:42:60Z", "no such time of day"],
    ["2025-07-18T20:42:34%2B24:00", "no such zone"],
    ["", "not an RFC 3339 date-time"],
  ];
  test.each(instants)("end_time=%s: %s", async (text, reason) => {
    const { status, message, details } = await errorOf(`/api/v1/telemetry?end_time=${text}`);
    expect(status).toBe(400);
    expect(message).toContain(reason);
    expect(details).toMatchObject({ parameter: "end_time" });
  });

  test("but 29 February of a leap year is a valid day", async () => {
    expect((await running.gateway.get("/api/v1/telemetry?end_time=2024-02-29T00:00:00Z")).status).toBe(200);
    expect((await running.gateway.get("/api/v1/telemetry?end_time=2000-02-29T00:00:00Z")).status).toBe(200);
  });

  test("a start_time after the end_time", async () => {
    const range = "start_time=2025-07-18T20:42:35Z&end_time=2025-07-18T20:42:34Z";
    expect(await errorOf(`/api/v1/telemetry?${range}`)).toMatchObject({
      status: 400,
      message:
        'start_time="2025-07-18T20:42:35Z" is not usable: it is after end_time="2025-07-18T20:42:34Z"; expected a start_time at or before end_time',
    });
  });

  const lists: [path: string, field: string][] = [
    ["/api/v1/faults?state=", "{ faults(state: []) { nextCursor } }"],
    ["/api/v1/faults?severity=", "{ faults(severity: []) { nextCursor } }"],
    [
      "/api/v1/telemetry/aggregates?group_by=host&metrics=",
      "{ aggregates(groupBy: host, metrics: []) { resolution } }",
    ],
    ["/api/v1/telemetry?metrics=", "{ latestTelemetry { series(names: []) { value } } }"],
  ];
  test.each(lists)("a list without elements: %s", async (path, field) => {
    const { message, status } = await errorOf(path);
    const answer = await running.gateway.get(`/graphql?query=${encodeURIComponent(field)}`);
    const { errors } = (await answer.json()) as { errors: { message: string }[] };
    for (const each of [message, errors[0]?.message]) {
      expect(each).toMatch(/^\w+="" is not usable: it is an empty list; expected /);
    }
    expect(status).toBe(400);
  });

  test("a parameter that is given twice", async () => {
    expect(await errorOf("/api/v1/telemetry?limit=1&limit=2")).toMatchObject({
      status: 400,
      message: expect.stringContaining("more than once") as unknown,
      details: { parameter: "limit", value: "1,2" },
    });
  });

  test("a parameter of a path that accepts none", async () => {
    for (const path of ["/api/v1/clusters", "/api/v1/clusters/alpha/stats", "/api/v1/metrics", "/health", "/metrics"]) {
      expect(await errorOf(`${path}?limit=1`)).toMatchObject({
        status: 400,
        message: 'There is no parameter "limit" here; expected no parameters',
      });
    }
  });

  test("in a path: a text that is too long, a broken encoding, an index that is not a number", async () => {
    expect(await errorOf(`/api/v1/gpus/${"x".repeat(257)}`)).toMatchObject({
      status: 400,
      details: { parameter: "uuid", value: `${"x".repeat(200)}...`, expected: "a text of 1 to 256 characters" },
    });
    expect(await errorOf("/api/v1/gpus/%ZZ")).toMatchObject({ status: 400, details: { parameter: "uuid" } });
    expect(await errorOf("/api/v1/clusters/alpha/hosts/host-a/gpus/GPU-1")).toMatchObject({
      status: 400,
      details: { parameter: "gpu_id", value: "GPU-1" },
    });
  });
});

describe("an error names the missing resource of a path", () => {
  const missing: [path: string, resource: string][] = [
    ["/api/v1/gpus/GPU-0", "GPU"],
    ["/api/v1/gpus/GPU-0/telemetry", "GPU"],
    ["/api/v1/clusters/gamma", "cluster"],
    ["/api/v1/clusters/gamma/stats", "cluster"],
    ["/api/v1/clusters/gamma/hosts", "cluster"],
    ["/api/v1/clusters/gamma/hosts/host-a", "cluster"],
    ["/api/v1/clusters/alpha/hosts/host-z", "host"],
    ["/api/v1/clusters/alpha/hosts/host-z/gpus", "host"],
    ["/api/v1/clusters/alpha/hosts/host-z/gpus/0", "host"],
    ["/api/v1/clusters/alpha/hosts/host-a/gpus/7", "GPU"],
    ["/api/v1/clusters/alpha/hosts/host-a/gpus/7/metrics", "GPU"],
    ["/api/v1/hosts/host-z/gpus", "host"],
    ["/api/v1/nothing", "path"],
    ["/", "path"],
    ["/swagger/package.json", "file"],
    ["/swagger/constructor", "file"],
  ];
  test.each(missing)("%s: no such %s", async (path, resource) => {
    expect(await errorOf(path)).toMatchObject({ status: 404, code: "not_found", details: { resource } });
  });

  test("a path that other servers have is answered with where the same is here", async () => {
    expect(await errorOf("/graphiql")).toMatchObject({
      status: 404,
      message: "There is nothing at /graphiql; GraphiQL is at /graphql, and the documentation is at /docs",
    });
    expect(await errorOf("/openapi.json")).toMatchObject({
      message: expect.stringContaining("the OpenAPI document is at /swagger/swagger.json") as string,
    });
  });

  test("with the requested name, shortened if it is long", async () => {
    expect(await errorOf("/api/v1/clusters/gamma/hosts/host-a")).toMatchObject({
      message: 'There is no cluster with cluster_id "gamma"',
    });
    const { message } = await errorOf(`/${"y".repeat(5000)}`);
    expect(message.length).toBeLessThan(300);
  });
});

describe("methods", () => {
  test("a wrong method gives 405 with the allowed methods, and 404 if the path does not exist", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const response = await running.gateway.get("/api/v1/gpus/GPU-1/telemetry", { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    }
    expect(await errorOf("/health", { method: "POST" })).toMatchObject({
      code: "method_not_allowed",
      details: { method: "POST", path: "/health", allowed: ["GET", "HEAD", "OPTIONS"] },
    });
    expect((await running.gateway.get("/api/v1/nothing", { method: "POST" })).status).toBe(404);
  });

  test("OPTIONS lists the methods of a path", async () => {
    const response = await running.gateway.get("/api/v1/gpus", { method: "OPTIONS" });
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    expect((await running.gateway.get("/api/v1/nothing", { method: "OPTIONS" })).status).toBe(404);
  });

  test("HEAD answers as GET does, without the body", async () => {
    const head = await running.gateway.get("/api/v1/gpus", { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
    const body = await (await running.gateway.get("/api/v1/gpus")).text();
    expect(head.headers.get("content-length")).toBe(String(Buffer.byteLength(body)));
    expect((await running.gateway.get("/api/v1/gpus/GPU-0", { method: "HEAD" })).status).toBe(404);
  });
});

test("an answer over HTTP equals the answer of a direct call", async () => {
  const url = `http://127.0.0.1:${await listening(running.gateway)}`;
  const paths = [
    "/api/v1/gpus",
    "/api/v1/gpus/GPU%2Fx%20y%2B%25%C3%A9",
    "/api/v1/gpus/%ZZ",
    "/api/v1/none",
    "/swagger/",
  ];
  for (const method of ["GET", "HEAD", "OPTIONS", "POST"]) {
    for (const path of paths) {
      const [direct, served] = await Promise.all([
        running.gateway.get(path, { method }),
        fetch(`${url}${path}`, { method }),
      ]);
      expect([path, method, served.status]).toEqual([path, method, direct.status]);
      expect(served.headers.get("allow")).toBe(direct.headers.get("allow"));
      if (method !== "HEAD") expect(await served.text()).toBe(await direct.text());
    }
  }
  await running.gateway.app.stop(true);
});

test("a store that does not answer gives 503 with the reason and Retry-After", async () => {
  const closedStore = await openFleetStore();
  await closedStore.close();
  const closed = gatewayOver(closedStore);
  for (const path of ["/api/v1/gpus", "/api/v1/telemetry", "/api/v1/clusters/alpha/stats", "/api/v1/quarantine"]) {
    const response = await closed.get(path);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({
      success: false,
      error: { code: "store_unavailable", details: { reason: expect.any(String) as unknown } },
    });
  }
});

test("an unexpected exception gives 500 without the exception's message, which only the log has", async () => {
  const fail = (): never => {
    throw new TypeError("password hunter2 at /srv/secret.ts");
  };
  const queries: TelemetryQueries = {
    fleet: { gpus: fail, latest: fail, changes: fail, has: fail, firstSeen: fail, revision: fail, stateSpans: fail },
    history: {
      records: fail,
      columns: fail,
      rollups: fail,
      recordsOfEach: fail,
      rollupsOfEach: fail,
      ends: fail,
      deviceKinds: fail,
    },
    aggregates: { byGroup: fail, countRecords: fail },
    quarantine: { rejections: fail, countRejections: fail, countConflicts: fail },
    coverage: { coverage: fail },
    usage: { sums: fail, jobs: fail, holders: fail },
    settling: { due: fail },
  };
  const failing = gatewayOver(running.stored, { queries });
  const response = await failing.get("/api/v1/telemetry");
  const text = await response.text();
  expect(response.status).toBe(500);
  expect(JSON.parse(text)).toEqual({
    success: false,
    error: { code: "internal_error", message: "The request failed inside the server; its log says why", details: {} },
  });
  expect(JSON.stringify([...response.headers])).not.toContain("hunter2");
  expect(failing.logged.join("")).toContain("hunter2");
});

test("a client that leaves while it sends a body is no error in the log", async () => {
  const { app, logged } = running.gateway;
  const port = await listening(running.gateway);
  const head =
    "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
  for (let times = 0; times < 3; times += 1) {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(head));
    await Bun.sleep(30);
    socket.destroy();
  }
  await until(async () => (await fetch(`http://127.0.0.1:${port}/health/live`)).ok);
  await Bun.sleep(100);
  expect(logged.filter((line) => line.includes("a request failed"))).toEqual([]);
  await app.stop(true);
});
