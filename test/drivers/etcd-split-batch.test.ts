import { afterAll, beforeAll, expect, test } from "bun:test";
import { type ProvidedEtcd, provideEtcd } from "../../dev/servers/provide-etcd.ts";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { EtcdClient, type Txn, type TxnResult } from "../../src/etcd/etcd-client.ts";
import { prefixRange, put } from "../../src/etcd/requests.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { EtcdQueue } from "../../src/pipeline/queue/etcd/etcd-queue.ts";
import { QueueKeys } from "../../src/pipeline/queue/etcd/queue-keys.ts";
import type { NewMessage } from "../../src/pipeline/queue/queue.ts";
import { batchAt, liveMessage } from "../contract/live-assignment.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// A scrape whose answer is too large for one message is several messages: they are added together, whenever its publisher dies.

const partBytes = 600 * 1024;
const parts = 3;
const { signal } = new AbortController();
const log = unshownLog();
let etcd: ProvidedEtcd;
let client: EtcdClient;

beforeAll(async () => {
  etcd = await provideEtcd();
  client = new EtcdClient({ endpoints: etcd.endpoints });
}, 300_000);
afterAll(async () => {
  client.close();
  await etcd.stop();
});

/** A client of a process that dies: nothing that it sends after a number of transactions reaches etcd. */
class DyingClient extends EtcdClient {
  constructor(private transactionsLeft: number) {
    super({ endpoints: etcd.endpoints });
  }

  override async txn(txn: Txn): Promise<TxnResult> {
    if (this.transactionsLeft <= 0) throw new EtcdUnavailable("the process has died");
    this.transactionsLeft -= 1;
    return super.txn(txn);
  }
}

/** The messages of one scrape, with payloads that do not fit into one transaction. */
function splitScrape(): NewMessage[] {
  const whole = liveMessage("target", batchAt("target", 1));
  return Array.from({ length: parts }, (_, index) => ({
    ...whole,
    idempotencyKey: `${whole.idempotencyKey}#${index + 1}of${parts}`,
    payload: Buffer.alloc(partBytes, index + 1),
    ...(index < parts - 1 ? { continues: true } : {}),
  }));
}

async function openTarget() {
  const topic = `split-${crypto.randomUUID().slice(0, 8)}`;
  const keys = new QueueKeys(topic);
  const position = `/test/${topic}/latest`;
  const { revision: ownerRevision } = await client.txn({ success: [put(`/test/${topic}/owner`, "a")] });
  const claimOf = (value: string | undefined) => ({
    ...{ ownerKey: `/test/${topic}/owner`, ownerRevision },
    position: value === undefined ? undefined : { key: position, value },
  });
  const limits = { leaseSeconds: 5, maxAttempts: 3, capacityMessages: 100 };
  return {
    keys,
    position,
    open: (of: EtcdClient) => new EtcdQueue({ client: of, topic, clock, log, ...limits }),
    claims: [...Array.from({ length: parts - 1 }, () => claimOf(undefined)), claimOf("1")],
  };
}

const countOf = async (prefix: string): Promise<number> =>
  Number((await client.range({ ...prefixRange(prefix), count_only: true })).count);

for (let died = 0; died <= parts; died += 1) {
  test(`none of its messages is in the queue if its publisher dies after ${died} transactions, and its position stays`, async () => {
    const { keys, position, open, claims } = await openTarget();
    const dying = new DyingClient(died);
    const messages = splitScrape();
    const error = await open(dying)
      .publish(messages, { signal, claims })
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: "the process has died" });
    dying.close();
    expect(await countOf(keys.messages)).toBe(0);
    expect(await countOf(position)).toBe(0);
    expect(await countOf(keys.payloads)).toBe(died);
    for (const { lease } of (await client.range(prefixRange(keys.payloads))).kvs) expect(lease).not.toBe("0");
    const successor = open(client);
    const { receipts, depthMessages } = await successor.publish(messages, { signal, claims });
    expect(receipts.every(({ duplicate, refused }) => !duplicate && !refused)).toBe(true);
    expect(depthMessages).toBe(parts);
    await successor.close();
  });
}

test("its payloads outlive the lease under which they were written first, and are delivered", async () => {
  const { keys, position, open, claims } = await openTarget();
  const leases: string[] = [];
  class NotingClient extends EtcdClient {
    override async grantLease(seconds: number): Promise<string> {
      const id = await super.grantLease(seconds);
      leases.push(id);
      return id;
    }
  }
  const noting = new NotingClient({ endpoints: etcd.endpoints });
  const messages = splitScrape();
  await open(noting).publish(messages, { signal, claims });
  for (const id of leases) await client.revokeLease(id);
  expect((await client.range({ key: Buffer.from(position) })).kvs[0]?.value.toString()).toBe("1");
  expect(await countOf(keys.payloads)).toBe(parts);
  const queue = open(client);
  const delivered = await queue.claim({ consumerId: "c", maxMessages: parts, signal });
  expect(delivered.map(({ payload }) => Bun.hash(payload))).toEqual(messages.map(({ payload }) => Bun.hash(payload)));
  await queue.close();
  noting.close();
});

test("it is added by a publisher that was suspended until the lease of its payloads had ended", async () => {
  const { keys, open, claims } = await openTarget();
  class SuspendedClient extends EtcdClient {
    private last = "";
    private wasSuspended = false;

    override async grantLease(seconds: number): Promise<string> {
      return (this.last = await super.grantLease(seconds));
    }

    override async txn(txn: Txn): Promise<TxnResult> {
      // the transaction that adds the messages
      if (txn.success.length > 1 && !this.wasSuspended) {
        this.wasSuspended = true;
        await super.revokeLease(this.last);
      }
      return super.txn(txn);
    }
  }
  const suspended = new SuspendedClient({ endpoints: etcd.endpoints });
  const { receipts } = await open(suspended).publish(splitScrape(), { signal, claims });
  suspended.close();
  expect(receipts).toHaveLength(parts);
  expect(await countOf(keys.messages)).toBe(parts);
  expect(await countOf(keys.payloads)).toBe(parts);
});

test("it is added once if it is published again", async () => {
  const { keys, open, claims } = await openTarget();
  const queue = open(client);
  const messages = splitScrape();
  await queue.publish(messages, { signal, claims });
  const { receipts } = await queue.publish(messages, { signal, claims });
  expect(receipts.every(({ duplicate }) => duplicate)).toBe(true);
  expect(await countOf(keys.messages)).toBe(parts);
  await queue.close();
});
