import type { ICompare, IRequestOp } from "etcd3";

// Each function makes one comparison or operation of a transaction; keys are texts.

/** Operations that etcd takes in one transaction (the default of its --max-txn-ops). A nested transaction counts as one
 *  of them; its own operations may be as many as are left. */
export const transactionMaxOperations = 128;
/** Nested transactions put into one: the other half of the operations is left for what is inside them. */
export const maxNestedTransactions = transactionMaxOperations / 2;

/** True while the key is there. */
export function exists(key: string): ICompare {
  return { key: Buffer.from(key), target: "Version", result: "Greater", version: 0 };
}

/** True while the key is not there. */
export function isAbsent(key: string): ICompare {
  return { key: Buffer.from(key), target: "Version", result: "Equal", version: 0 };
}

/** True while the key is the one that was made at that revision: not once it was deleted and made again. */
export function wasCreatedAt(key: string, revision: string): ICompare {
  return { key: Buffer.from(key), target: "Create", result: "Equal", create_revision: revision };
}

/** True while nobody wrote the key since that revision. */
export function isUnchangedSince(key: string, revision: string): ICompare {
  return { key: Buffer.from(key), target: "Mod", result: "Equal", mod_revision: revision };
}

/** True while the key was written fewer times than that since it was made (0 times: it is absent). */
export function wasWrittenLessThan(key: string, times: number): ICompare {
  return { key: Buffer.from(key), target: "Version", result: "Less", version: times };
}

/** @param leaseId the key goes when that lease ends; absent: it stays */
export function put(key: string, value: string | Uint8Array, leaseId?: string): IRequestOp {
  const bytes = typeof value === "string" ? Buffer.from(value) : asBuffer(value);
  return { request_put: { key: Buffer.from(key), value: bytes, ...(leaseId === undefined ? {} : { lease: leaseId }) } };
}

/** The key with its value. */
export function get(key: string): IRequestOp {
  return { request_range: { key: Buffer.from(key) } };
}

/** Only the key's revisions and version, not its value. */
export function getKey(key: string): IRequestOp {
  return { request_range: { key: Buffer.from(key), keys_only: true } };
}

/** The key goes, where it is there. */
export function remove(key: string): IRequestOp {
  return { request_delete_range: { key: Buffer.from(key) } };
}

/** Every key that begins so goes. */
export function removePrefix(prefix: string): IRequestOp {
  return { request_delete_range: prefixRange(prefix) };
}

/** How many keys begin so. */
export function countPrefix(prefix: string): IRequestOp {
  return { request_range: { ...prefixRange(prefix), count_only: true } };
}

/** The first key that begins so. */
export function firstOfPrefix(prefix: string): IRequestOp {
  return { request_range: { ...prefixRange(prefix), keys_only: true, limit: 1 } };
}

/** A transaction of its own inside another: its comparisons decide about its operations only. */
export function nested(
  compare: readonly ICompare[],
  success: readonly IRequestOp[],
  failure: readonly IRequestOp[] = [],
) {
  return {
    request_txn: { compare: [...compare], success: [...success], failure: [...failure] },
  } satisfies IRequestOp;
}

/** Every key that begins with the prefix, as etcd writes a range. */
export function prefixRange(prefix: string): { key: Buffer; range_end: Buffer } {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return { key: Buffer.from(prefix), range_end: end };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
