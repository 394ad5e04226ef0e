import { afterAll, beforeAll, expect, test } from "bun:test";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

let cluster: EtcdCluster;
let client: EtcdClient;
let queue: EtcdQueue;
let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;

beforeAll(async () => {
  cluster = await startEtcd({ members: 1 });
  client = new EtcdClient({ endpoints: cluster.endpoints });
  const limits = { capacityMessages: 10, leaseSeconds: 5, maxAttempts: 1 };
  queue = new EtcdQueue({ client, topic: "away", clock: systemClock, log: unshownLog(), ...limits });
  stored = await openFleetStore();
  gateway = gatewayOver(stored, { queue, deadLetters: queue.deadLetters });
}, 300_000);

afterAll(async () => {
  await queue.close();
  client.close();
  await stored.close();
  await cluster.stop();
});

const letter = "/dead-letters/01K0F3Z8Q4W5X6Y7Z8A9B0C1D2";

test("while etcd is down, requests that need the queue get 503 with the reason; other requests still work", async () => {
  await cluster.members[0]?.kill();
  for (const [method, path] of [
    ["GET", ""],
    ["GET", "/dead-letters"],
    ["GET", letter],
    ["POST", `${letter}/redrive`],
    ["DELETE", letter],
  ] as const) {
    const response = await gateway.get(`/api/v1/pipeline${path}`, { method });
    expect([method, path, response.status, response.headers.get("retry-after")]).toEqual([method, path, 503, "1"]);
    const advice = method === "GET" ? "try again" : "check whether the change was made, and try again";
    expect(await response.json()).toMatchObject({
      error: {
        code: "queue_unavailable",
        message: `The queue does not answer; ${advice}`,
        details: { reason: expect.any(String) as unknown },
      },
    });
  }
  expect((await gateway.get("/api/v1/gpus")).status).toBe(200);
  expect((await gateway.get("/api/v1/quarantine")).status).toBe(200);
  await cluster.members[0]?.start();
  expect((await gateway.get("/api/v1/pipeline/dead-letters")).status).toBe(200);
  expect((await gateway.get(`/api/v1/pipeline${letter}`)).status).toBe(404);
});
