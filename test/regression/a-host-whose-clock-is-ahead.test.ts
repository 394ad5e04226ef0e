import { afterAll, beforeAll, expect, test } from "bun:test";
import { gatewayOver, gpuOf, openFleetStore, type TestGateway } from "../routes/gateway.ts";

// Records of one host, or of an imported file, were two hours ahead. All other hosts of the cluster were silent for two hours.

const nowMs = Date.now();
const record = (hostname: string, timeMs: number) => ({
  gpu: gpuOf("lab", hostname, 0),
  timeMs,
  values: { temperature: 50, power_draw: 300, gpu_utilization: 50 },
});
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;

beforeAll(async () => {
  const records = [
    record("ahead", nowMs + 7_200_000),
    record("present", nowMs - 10_000),
    record("silent", nowMs - 90_000),
  ];
  stored = await openFleetStore(records);
  gateway = gatewayOver(stored);
});

afterAll(async () => {
  await stored.close();
});

const expected = { ahead: "active", present: "active", silent: "silent" };

test("the other hosts of a cluster are compared with the present, not with the future", async () => {
  for (const path of ["/api/v1/hosts", "/api/v1/gpus"]) {
    const { data } = (await gateway.json(path)) as { data: { hostname: string; status: string }[] };
    expect(Object.fromEntries(data.map(({ hostname, status }) => [hostname, status]))).toEqual(expected);
  }
  const answer = await gateway.get("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "{ hosts { hostname status } }" }),
  });
  const { data } = (await answer.json()) as { data: { hosts: { hostname: string; status: string }[] } };
  expect(Object.fromEntries(data.hosts.map(({ hostname, status }) => [hostname, status]))).toEqual(expected);
});

test("the statistics of the cluster count the hosts of the present", async () => {
  const counts = { active_gpu_count: 2, silent_gpu_count: 1 };
  expect(await gateway.json("/api/v1/clusters/lab")).toMatchObject({ data: counts });
  expect(await gateway.json("/api/v1/clusters/lab/stats")).toMatchObject({ data: counts });
});
