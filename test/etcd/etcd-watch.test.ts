import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import pino from "pino";
import { type EtcdCluster, type EtcdOptions, startEtcd } from "../../dev/servers/etcd.ts";
import { until, untilResolved } from "../../dev/until.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { EtcdHistory } from "../../src/etcd/etcd-history.ts";
import { EtcdWatch } from "../../src/etcd/etcd-watch.ts";
import { WatchProblems } from "../../src/etcd/watch-problems.ts";
import { EtcdHistoryCheck } from "../../src/pipeline/upkeep/etcd-history-check.ts";
import { LeaseSession } from "../../src/etcd/lease-session.ts";
import { isAbsent, prefixRange, put } from "../../src/etcd/requests.ts";

// Each test has its own etcd, and mostly waits for it: they run at the same time.

const range = prefixRange("/watched/");

interface Watching {
  readonly cluster: EtcdCluster;
  readonly client: EtcdClient;
  /** The keys that were listed or had an event, in the order of arrival. */
  readonly seen: string[];
  /** The number of times that the state was listed. */
  readonly listings: () => number;
  readonly write: (key: string) => Promise<unknown>;
  readonly close: () => Promise<void>;
}

async function watching(options: EtcdOptions): Promise<Watching> {
  const cluster = await startEtcd(options);
  const client = new EtcdClient({ endpoints: cluster.endpoints, user: options.user });
  const seen: string[] = [];
  let listings = 0;
  const watch = new EtcdWatch({
    client,
    clock: systemClock,
    range,
    list: async () => {
      listings += 1;
      const { kvs, header } = await client.range({ ...range, keys_only: true });
      for (const { key } of kvs) if (!seen.includes(key.toString())) seen.push(key.toString());
      return header.revision;
    },
    onEvents: (events) => seen.push(...events.map(({ kv }) => kv.key.toString())),
    onInterrupted: () => undefined,
  });
  await until(() => listings === 1);
  return {
    cluster,
    client,
    seen,
    listings: () => listings,
    write: (key) => client.txn({ success: [put(`/watched/${key}`, "")] }),
    close: async () => {
      await watch.close();
      client.close();
      await cluster.stop();
    },
  };
}

test.concurrent.each([
  ["without a user", {}],
  ["with a user, whose token etcd loses", { user: { name: "watcher", password: "only for this test" } }],
])(
  "a watch continues after etcd was killed and restarted, and misses no event (%s)",
  async (_, options) => {
    const { cluster, client, seen, listings, write, close } = await watching({ members: 1, ...options });
    await write("before");
    await until(() => seen.includes("/watched/before"));
    await cluster.members[0]?.kill();
    await cluster.members[0]?.start();
    await untilResolved(() => write("after"));
    await until(() => seen.includes("/watched/after"));
    expect(listings()).toBe(1);
    await client.txn({ success: [put("/watched/last", "")] });
    await until(() => seen.includes("/watched/last"));
    await close();
  },
  60_000,
);

test.concurrent(
  "if the events that a watch missed were compacted, the state is listed again",
  async () => {
    const cluster = await startEtcd({ members: 1 });
    const client = new EtcdClient({ endpoints: cluster.endpoints });
    await client.txn({ success: [put("/watched/one", "")] });
    const longAgo = (await client.databaseSize()).revision;
    await client.txn({ success: [put("/watched/two", "")] });
    await client.txn({ success: [put("/watched/three", "")] });
    await client.compact((await client.databaseSize()).revision, true);
    const listed: number[] = [];
    const seen: string[] = [];
    const watch = new EtcdWatch({
      client,
      clock: systemClock,
      range,
      // the first listing returns an old revision, as if the watch had been interrupted since
      list: async () => {
        const { count, header } = await client.range({ ...range, count_only: true });
        return listed.push(Number(count)) === 1 ? longAgo : header.revision;
      },
      onEvents: (events) => seen.push(...events.map(({ kv }) => kv.key.toString())),
      onInterrupted: () => undefined,
    });
    await until(() => listed.length === 2);
    await client.txn({ success: [put("/watched/four", "")] });
    await until(() => seen.length > 0);
    expect([listed, seen]).toEqual([[3, 3], ["/watched/four"]]);
    await watch.close();
    client.close();
    await cluster.stop();
  },
  60_000,
);

test.concurrent(
  "a watch that is interrupted while it catches up resumes after the last event that it received",
  async () => {
    const starts: unknown[] = [];
    const openWatch = () => {
      const stream = new EventEmitter();
      const write = ({ create_request }: { create_request: { start_revision: string } }): void => {
        starts.push(create_request.start_revision);
        if (starts.length > 1) return;
        // etcd sends missed events in parts: the header of each part has the newest revision of etcd
        const events = [{ type: "Put", kv: { key: Buffer.from("/watched/a"), mod_revision: "5" } }];
        stream.emit("data", { created: false, canceled: false, events, header: { revision: "9" } });
        stream.emit("end");
      };
      return Promise.resolve(Object.assign(stream, { write, cancel: () => undefined, failed: () => undefined }));
    };
    const watch = new EtcdWatch({
      client: clientWith({ openWatch }),
      clock: systemClock,
      range,
      list: () => Promise.resolve("1"),
      onEvents: () => undefined,
      onInterrupted: () => undefined,
    });
    await until(() => starts.length === 2);
    expect(starts).toEqual(["2", "6"]);
    await watch.close();
  },
);

test.concurrent("a watch that does not go on is a problem of its process until it goes on", async () => {
  let isBroken = true;
  const openWatch = () => {
    if (isBroken) return Promise.reject(new Error("in this test, no stream opens"));
    const stream = new EventEmitter();
    const write = (): unknown => stream.emit("data", { created: true, canceled: false, events: [] });
    return Promise.resolve(Object.assign(stream, { write, cancel: () => undefined, failed: () => undefined }));
  };
  const client = clientWith({ openWatch });
  const clock = systemClock;
  const watch = new EtcdWatch({
    ...{ client, clock, range, list: () => Promise.resolve("1") },
    ...{ onEvents: () => undefined, onInterrupted: () => undefined },
  });
  const log = pino({ enabled: false });
  const check = new EtcdHistoryCheck({ client, markKey: "/history", clock, log, onLost: () => undefined });
  await until(() => client.watchProblems.text() !== undefined);
  expect(check.error()).toMatch(
    /^changes of \/watched\/ in etcd have not been received for \d+ s: in this test, no stream opens$/,
  );
  isBroken = false;
  await until(() => check.error() === undefined);
  await watch.close();
});

test.concurrent("a stream that is created and cancelled at once does not count as opened", async () => {
  let opened = 0;
  const openWatch = () => {
    const stream = new EventEmitter();
    const compacted = { created: true, canceled: true, compact_revision: "7", events: [] };
    const write = (): unknown => stream.emit("data", compacted);
    return Promise.resolve(Object.assign(stream, { write, cancel: () => undefined, failed: () => undefined }));
  };
  const client = clientWith({ openWatch });
  const watch = new EtcdWatch({
    ...{ client, clock: systemClock, range, list: () => Promise.resolve("1"), onOpened: () => void (opened += 1) },
    ...{ onEvents: () => undefined, onInterrupted: () => undefined },
  });
  await until(() => client.watchProblems.text() !== undefined);
  expect(opened).toBe(0);
  await watch.close();
  expect(client.watchProblems.text()).toBeUndefined();
});

/** A client whose watches are those of the test; a problem is shown after 300 ms. */
function clientWith(parts: { readonly openWatch: () => Promise<unknown> }): EtcdClient {
  const state = { history: new EtcdHistory(), watchProblems: new WatchProblems(300) };
  return { description: "in this test", ...state, ...parts } as unknown as EtcdClient;
}

test.concurrent(
  "when a member is killed or frozen, calls and a watch continue on the other members",
  async () => {
    const { cluster, seen, write, close } = await watching({ members: 3 });
    for (const [index, member] of cluster.members.entries()) {
      await member.kill();
      await untilResolved(() => write(`without-${index}`));
      await until(() => seen.includes(`/watched/without-${index}`));
      await member.start();
    }
    const frozen = cluster.members[0];
    frozen?.signal("SIGSTOP");
    await untilResolved(() => write("while-frozen"));
    await until(() => seen.includes("/watched/while-frozen"));
    frozen?.signal("SIGCONT");
    await close();
  },
  120_000,
);

test.concurrent(
  "a session renews its lease until it is closed; its signal aborts if etcd ends the lease or does not answer",
  async () => {
    const cluster = await startEtcd({ members: 1 });
    const client = new EtcdClient({ endpoints: cluster.endpoints });
    const ttlSeconds = 2;
    const open = (): Promise<LeaseSession> => LeaseSession.open({ client, clock: systemClock, ttlSeconds });
    const [renewed, ended, closed] = await Promise.all([open(), open(), open()]);
    const bound = [renewed, ended, closed].map(({ leaseId }, index) => put(`/lease/${index}`, "", leaseId));
    await client.txn({ success: bound });
    await client.revokeLease(ended.leaseId);
    await closed.close();
    // a lease that exists longer than its TTL was renewed; etcd measures the TTL in real time
    await Bun.sleep(2 * ttlSeconds * 1000);
    expect([renewed, ended].map(({ signal }) => signal.aborted)).toEqual([false, true]);
    const keys = (await client.range({ ...prefixRange("/lease/"), keys_only: true })).kvs.map(({ key }) =>
      key.toString(),
    );
    expect(keys).toEqual(["/lease/0"]);
    cluster.members[0]?.signal("SIGSTOP");
    await until(() => renewed.signal.aborted);
    cluster.members[0]?.signal("SIGCONT");
    expect((await client.txn({ compare: [isAbsent("/nothing")], success: [] })).succeeded).toBe(true);
    await renewed.close();
    client.close();
    await cluster.stop();
  },
  60_000,
);
