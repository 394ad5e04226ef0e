import { afterAll, beforeAll, describe } from "bun:test";
import { readFileSync } from "node:fs";
import pino from "pino";
import { type EtcdCluster, type EtcdOptions, startEtcd } from "../../scripts/services/etcd.ts";
import { systemClock } from "../../src/domain/clock.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { prefixRange } from "../../src/etcd/requests.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd-queue.ts";
import { exerciseQueue, type OpenQueue } from "../contract/queue.ts";

const user = { name: "telemetry", password: "only for this test" };
const settings: Readonly<Record<string, EtcdOptions>> = {
  "one node": { members: 1 },
  "one node with TLS and a user": { members: 1, tls: true, user },
  "three nodes": { members: 3 },
  "three nodes with TLS": { members: 3, tls: true },
};

for (const [name, options] of Object.entries(settings)) {
  describe(name, () => {
    let cluster: EtcdCluster;
    let client: EtcdClient;
    let topics = 0;

    beforeAll(async () => {
      cluster = await startEtcd(options);
      const { tls, endpoints } = cluster;
      client = new EtcdClient({
        endpoints,
        user: options.user,
        tls: tls && {
          authority: readFileSync(tls.caFile),
          certificate: readFileSync(tls.certFile),
          key: readFileSync(tls.keyFile),
        },
      });
    }, 300_000);

    afterAll(async () => {
      client.close();
      await cluster.stop();
    });

    exerciseQueue(`EtcdQueue on ${name}`, (limits) => {
      topics += 1;
      const topic = `contract-${topics}`;
      const log = pino({ level: "silent" });
      const queue = new EtcdQueue({ client, topic, clock: systemClock, leaseSeconds: 5, log, ...limits });
      return Promise.resolve<OpenQueue>({
        queue,
        deadLetters: queue.deadLetters,
        letLeasesEnd: () => endLeases(client, `/queue/${topic}/claims/`),
      });
    });
  });
}

/** Ends the leases of all claims, as etcd does when their consumers are silent for too long. */
async function endLeases(client: EtcdClient, claims: string): Promise<void> {
  const { kvs } = await client.range(prefixRange(claims));
  for (const lease of new Set(kvs.map((claim) => claim.lease))) await client.revokeLease(lease);
}
