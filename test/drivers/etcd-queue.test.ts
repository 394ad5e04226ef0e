import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ulid } from "ulid";
import { type EtcdOptions, startEtcd } from "../../dev/servers/etcd.ts";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange, put, removePrefix } from "../../src/etcd/requests.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import type { Delivery } from "../../src/pipeline/queue/queue.ts";
import { exerciseQueue, type OpenQueue } from "../contract/queue.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

/** Distinguishes the queues of this test run from those of other runs in the same etcd. */
const run = `contract-${crypto.randomUUID().slice(0, 8)}`;
const user = { name: "telemetry", password: "only for this test" };
/** How each etcd is started. Undefined means the provided etcd, which other tests may use, too. */
const settings: Readonly<Record<string, EtcdOptions | undefined>> = {
  "one node": undefined,
  "one node with TLS and a user": { members: 1, tls: true, user },
  "three nodes": { members: 3 },
  "three nodes with TLS": { members: 3, tls: true },
};

for (const [name, options] of Object.entries(settings)) {
  describe(name, () => {
    let cluster: ProvidedEtcd;
    let client: EtcdClient;
    let topics = 0;

    beforeAll(async () => {
      const ownCluster = options && (await startEtcd(options));
      cluster = ownCluster ?? (await provideEtcd());
      const tls = ownCluster?.tls;
      client = new EtcdClient({
        endpoints: cluster.endpoints,
        user: options?.user,
        tls: tls && {
          authority: readFileSync(tls.caFile),
          certificate: readFileSync(tls.certFile),
          key: readFileSync(tls.keyFile),
        },
      });
    }, 300_000);

    afterAll(async () => {
      await client.txn({ success: [removePrefix(`/queue/${run}-`)] });
      client.close();
      await cluster.stop();
    });

    exerciseQueue(`EtcdQueue on ${name}`, (limits) => {
      topics += 1;
      const topic = `${run}-${topics}`;
      const log = unshownLog();
      const queue = new EtcdQueue({ client, topic, clock: systemClock, leaseSeconds: 5, log, ...limits });
      return Promise.resolve<OpenQueue>({
        queue,
        deadLetters: queue.deadLetters,
        letLeasesEnd: () => endLeases(client, `/queue/${topic}/claims/`),
      });
    });
  });
}

test("messages with unreadable envelopes are delivered and dead-lettered; unreadable dead letters can be deleted", async () => {
  const etcd = await provideEtcd();
  const client = new NamespacedEtcdClient(etcd, `${run}-odd`);
  const log = unshownLog();
  const limits = { leaseSeconds: 5, maxAttempts: 1, capacityMessages: 10 };
  const queue = new EtcdQueue({ client, topic: "odd", clock: systemClock, log, ...limits });
  const { signal } = new AbortController();
  const id = ulid();
  await client.txn({ success: [put(`/queue/odd/messages/${id}`, "not JSON"), put(`/queue/odd/payloads/${id}`, "x")] });
  const [delivery] = await queue.claim({ consumerId: "c", maxMessages: 1, signal });
  expect(delivery).toMatchObject({ attempt: 1, envelope: { id, schemaVersion: "unreadable envelope" } });
  await queue.reject(delivery as Delivery, "no use");
  expect(await queue.deadLetters.list(10)).toMatchObject([{ envelope: { id }, lastError: "no use" }]);
  const later = ulid(Date.now() + 1000);
  await client.txn({ success: [put(`/queue/odd/dead/${later}`, "not JSON either")] });
  expect(await queue.deadLetters.list(10)).toMatchObject([
    { envelope: { id } },
    { envelope: { id: later }, lastError: "this dead letter cannot be read: not JSON either" },
  ]);
  expect(await queue.deadLetters.delete(later)).toBe(true);
  await queue.close();
  await client.removeAll();
  client.close();
  await etcd.stop();
});

/** Ends the leases of all claims, as etcd does when consumers do not renew them. */
async function endLeases(client: EtcdClient, claims: string): Promise<void> {
  const { kvs } = await client.range(prefixRange(claims));
  for (const lease of new Set(kvs.map((claim) => claim.lease))) await client.revokeLease(lease);
}
