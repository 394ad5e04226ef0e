import { expect, test } from "bun:test";
import { etcdMessage, translateEtcdError } from "../../src/etcd/etcd-errors.ts";

const refused = "14 UNAVAILABLE: No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:2379";

test("a message says why etcd does not answer, without gRPC's empty note and without saying it twice", () => {
  const noted = `${refused}. Resolution note: `;
  expect(etcdMessage(new Error(noted))).toBe(refused);
  expect(etcdMessage(new Error(`${noted}: ${noted}`))).toBe(refused);
  expect(etcdMessage(new Error("14 UNAVAILABLE: Connection dropped: 14 UNAVAILABLE: Connection dropped"))).toBe(
    "14 UNAVAILABLE: Connection dropped",
  );
  expect(etcdMessage(new Error("14 UNAVAILABLE: No connection established. Last error: null. Resolution note: "))).toBe(
    "14 UNAVAILABLE: No connection established",
  );
  expect(etcdMessage(new Error("14 UNAVAILABLE: x. Resolution note: Name resolution failed"))).toBe(
    "14 UNAVAILABLE: x. Resolution note: Name resolution failed",
  );
  expect(translateEtcdError(new Error(noted), "a transaction at etcd a").message).toBe(
    `a transaction at etcd a failed: ${refused}`,
  );
});
