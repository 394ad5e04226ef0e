import { afterAll, beforeAll, expect, test } from "bun:test";
import { AuthClient } from "etcd3";
import { ConnectionPool } from "etcd3/lib/connection-pool";
import { type EtcdCluster, startEtcd } from "../../dev/servers/etcd.ts";
import { until } from "../../dev/until.ts";
import { EtcdRefused } from "../../src/domain/errors.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";
import { EtcdWatch } from "../../src/etcd/etcd-watch.ts";
import { prefixesOf } from "../../src/etcd/keys-of-request.ts";
import { get, nested, prefixRange, put } from "../../src/etcd/requests.ts";
import { systemClock } from "../../src/kit/clock.ts";

const password = "only for this test";
let cluster: EtcdCluster;
let pool: ConnectionPool;
beforeAll(async () => {
  cluster = await startEtcd({ members: 1 });
  pool = new ConnectionPool({ hosts: cluster.endpoints[0] ?? "" });
}, 300_000);
afterAll(async () => {
  pool.close();
  await cluster.stop();
});

const clientOf = (name: string): EtcdClient =>
  new EtcdClient({ endpoints: cluster.endpoints, user: { name, password } });

/** Makes a user who may read and write the keys with a prefix. */
async function addUser(auth: AuthClient, name: string, prefix: string): Promise<void> {
  await auth.userAdd({ name, password });
  await auth.roleAdd({ name });
  const { key, range_end } = prefixRange(prefix);
  await auth.roleGrantPermission({ name, perm: { permType: "Readwrite", key, range_end } });
  await auth.userGrantRole({ user: name, role: name });
}

test("a user works while authentication is off, which is said, and goes on when it is switched on", async () => {
  const client = clientOf("telemetry");
  const seen: string[] = [];
  expect(client.notice).toBeUndefined();
  const watch = new EtcdWatch({
    ...{ client, clock: systemClock, range: prefixRange("/queue/") },
    list: async () => (await client.range(prefixRange("/queue/"))).header.revision,
    onEvents: (events) => seen.push(...events.map(({ kv }) => kv.key.toString())),
    onInterrupted: () => undefined,
  });
  await client.txn({ success: [put("/queue/a", "")] });
  expect(client.notice).toContain("authentication is off in etcd");

  const auth = new AuthClient(pool);
  await auth.userAdd({ name: "root", password });
  await auth.userGrantRole({ user: "root", role: "root" });
  await addUser(auth, "telemetry", "/queue/");
  await auth.authEnable();
  await client.txn({ success: [put("/queue/b", "")] });
  expect(client.notice).toBeUndefined();
  await until(() => seen.includes("/queue/b"));
  await watch.close();
  client.close();
});

test("a user without rights to some prefixes learns which, and with which command they are granted", async () => {
  const client = clientOf("telemetry");
  const writing = client.txn({ success: [put("/services/a", ""), get("/queue/a")] });
  await expect(writing).rejects.toThrow(EtcdRefused);
  await expect(writing).rejects.toThrow(
    "the user telemetry lacks a right to /queue/, /services/, where ROLE is one of its roles: " +
      "etcdctl role grant-permission ROLE readwrite --prefix /queue/; etcdctl role grant-permission ROLE readwrite --prefix /services/",
  );
  await expect(client.range(prefixRange("/checkpoints/"))).rejects.toThrow("a right to /checkpoints/");
  await expect(client.openWatch(Buffer.from("/telemetry/"))).rejects.toThrow("a right to /telemetry/");
  expect((await client.range(prefixRange("/queue/"))).kvs.length).toBeGreaterThan(0);
  client.close();
});

test("a wrong password is refused, without the password in the error", async () => {
  const client = new EtcdClient({ endpoints: cluster.endpoints, user: { name: "telemetry", password: "zq7x" } });
  const reading = client.range(prefixRange("/queue/"));
  await expect(reading).rejects.toThrow("authentication failed");
  await expect(reading).rejects.not.toThrow("zq7x");
  client.close();
});

test("the prefixes of a request are those of its keys, however deep", () => {
  const request = { compare: [{ key: Buffer.from("/a/x") }], success: [nested([], [put("/b/c/d", "/e/f")])] };
  expect(prefixesOf(request)).toEqual(["/a/", "/b/"]);
});
