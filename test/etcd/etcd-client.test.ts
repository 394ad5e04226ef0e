import { expect, test } from "bun:test";
import { EtcdUnavailable } from "../../src/domain/errors.ts";
import { EtcdClient } from "../../src/etcd/etcd-client.ts";

test("a call to an etcd that does not answer throws EtcdUnavailable, which names the call and the endpoint", async () => {
  const client = new EtcdClient({ endpoints: ["http://127.0.0.1:1"] });
  const calls = { "a transaction": client.txn({ success: [] }), "a defragmentation": client.defragment() };
  for (const [operation, call] of Object.entries(calls)) {
    const error = await call.catch((thrown: unknown) => thrown as Error);
    expect(error).toBeInstanceOf(EtcdUnavailable);
    expect((error as Error).message).toStartWith(`${operation} at etcd http://127.0.0.1:1 failed: `);
  }
  client.close();
});
