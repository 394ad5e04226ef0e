import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { until } from "../../dev/until.ts";
import { defaultTopic } from "../../src/domain/default-names.ts";
import type { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdHotTier } from "../../src/pipeline/hot/etcd/etcd-hot-tier.ts";
import { FleetMembers } from "../../src/routes/fleet/fleet-members.ts";
import { gpuAt, hotBatch, t0 } from "../support/hot-records.ts";
import { NamespacedEtcdClient } from "../support/namespaced-etcd.ts";

// etcd sends several transactions together to a process that is late. A gateway merged them, and the subscribers of /ws got only the
// last record of each GPU.

const namespace = `late-${crypto.randomUUID()}`;
let etcd: ProvidedEtcd;

beforeAll(async () => void (etcd = await provideEtcd()), 300_000);
afterAll(async () => etcd.stop());

/** A client whose watches open only when the promise resolves. */
class LateClient extends NamespacedEtcdClient {
  constructor(private readonly opening: Promise<void>) {
    super(etcd, namespace);
  }

  override async openWatch(key: Buffer): ReturnType<EtcdClient["openWatch"]> {
    await this.opening;
    return super.openWatch(key);
  }
}

const fail = (reason: Error): never => {
  throw reason;
};
const openTier = (client: EtcdClient): EtcdHotTier =>
  new EtcdHotTier({
    ...{ client, topic: defaultTopic, clock: systemClock, windowSeconds: 60 },
    ...{ onCoalesced: () => undefined, onRefused: fail },
  });

test("a follower that is late gets every record of a GPU, although etcd sends it several transactions together", async () => {
  const client = new NamespacedEtcdClient(etcd, namespace);
  const tier = openTier(client);
  const write = (at: number): Promise<void> =>
    tier.write(hotBatch([{ gpu: gpuAt("host a", 0), timeMs: t0 + at, metrics: { temperature: at } }]));
  await write(0);
  const written = Promise.withResolvers<void>();
  const late = new LateClient(written.promise);
  const members = new FleetMembers();
  const instants: (number | undefined)[] = [];
  const stop = openTier(late).follow({
    onChanges: (changes) => void instants.push(...members.merge(changes).map(({ record }) => record?.timeMs)),
    onFollowing: () => undefined,
    onInterrupted: fail,
  });
  await until(() => instants.length > 0);
  for (let at = 1; at <= 5; at += 1) await write(at);
  written.resolve();
  await until(() => instants.includes(t0 + 5));
  expect(instants).toEqual([0, 1, 2, 3, 4, 5].map((at) => t0 + at));
  await stop();
  await client.removeAll();
  client.close();
  late.close();
});
