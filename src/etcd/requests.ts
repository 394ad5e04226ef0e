import type { ICompare, IRequestOp } from "etcd3";

// Comparisons and operations for etcd's transactions, with keys as texts.

/** The maximum number of operations that etcd accepts in one transaction (the default of its --max-txn-ops). A nested
 *  transaction counts as one operation, and may itself contain as many operations as the outer transaction leaves unused. */
export const transactionMaxOperations = 128;
/** The maximum number of nested transactions in one transaction; each may then contain up to 64 operations. */
export const maxNestedTransactions = transactionMaxOperations / 2;

/** True if the key exists. */
export function exists(key: string): ICompare {
  return { key: Buffer.from(key), target: "Version", result: "Greater", version: 0 };
}

/** True if the key does not exist. */
export function isAbsent(key: string): ICompare {
  return { key: Buffer.from(key), target: "Version", result: "Equal", version: 0 };
}

/** True if the key was created at that revision: false once it was deleted, even if it was created again. */
export function wasCreatedAt(key: string, revision: string): ICompare {
  return { key: Buffer.from(key), target: "Create", result: "Equal", create_revision: revision };
}

/** True if the key was last written at that revision; for revision 0, if the key does not exist. */
export function isUnchangedSince(key: string, revision: string): ICompare {
  return { key: Buffer.from(key), target: "Mod", result: "Equal", mod_revision: revision };
}

/** True if the key was written fewer than `times` times since it was created; a key that does not exist counts as 0. */
export function wasWrittenLessThan(key: string, times: number): ICompare {
  return { key: Buffer.from(key), target: "Version", result: "Less", version: times };
}

/** Writes the key.
 *  @param leaseId the key is deleted when this lease ends; if absent, the key stays */
export function put(key: string, value: string | Uint8Array, leaseId?: string): IRequestOp {
  const bytes = typeof value === "string" ? Buffer.from(value) : asBuffer(value);
  return { request_put: { key: Buffer.from(key), value: bytes, ...(leaseId === undefined ? {} : { lease: leaseId }) } };
}

/** Writes the value that the key has, and takes the key from its lease, so that the key stays when the lease ends. etcd refuses the
 *  transaction if the key does not exist. */
export function putAgain(key: string): IRequestOp {
  return { request_put: { key: Buffer.from(key), ignore_value: true } };
}

/** Writes the key unless it exists. */
export function putIfAbsent(key: string, value: string): IRequestOp {
  return nested([isAbsent(key)], [put(key, value)]);
}

/** Reads the key with its value. */
export function get(key: string): IRequestOp {
  return { request_range: { key: Buffer.from(key) } };
}

/** Reads the key's revisions and version, without its value. */
export function getKey(key: string): IRequestOp {
  return { request_range: { key: Buffer.from(key), keys_only: true } };
}

/** Deletes the key if it exists. */
export function remove(key: string): IRequestOp {
  return { request_delete_range: { key: Buffer.from(key) } };
}

/** Deletes every key with this prefix. */
export function removePrefix(prefix: string): IRequestOp {
  return { request_delete_range: prefixRange(prefix) };
}

/** Deletes the keys from `from` on that are before `to`. */
export function removeRange(from: string, to: string): IRequestOp {
  return { request_delete_range: { key: Buffer.from(from), range_end: Buffer.from(to) } };
}

/** Counts the keys with this prefix. */
export function countPrefix(prefix: string): IRequestOp {
  return { request_range: { ...prefixRange(prefix), count_only: true } };
}

/** Reads the first key with this prefix, without its value. */
export function firstOfPrefix(prefix: string): IRequestOp {
  return { request_range: { ...prefixRange(prefix), keys_only: true, limit: 1 } };
}

/** A transaction inside another: its comparisons decide about its own operations only. */
export function nested(
  compare: readonly ICompare[],
  success: readonly IRequestOp[],
  failure: readonly IRequestOp[] = [],
) {
  return {
    request_txn: { compare: [...compare], success: [...success], failure: [...failure] },
  } satisfies IRequestOp;
}

/** The range of every key with the prefix. */
export function prefixRange(prefix: string): { key: Buffer; range_end: Buffer } {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return { key: Buffer.from(prefix), range_end: end };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
