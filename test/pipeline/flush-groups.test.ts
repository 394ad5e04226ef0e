import { expect, test } from "bun:test";
import { type FlushMember, groupsOf } from "../../src/pipeline/hot/etcd/flush-groups.ts";
import { newestOfBatch } from "../../src/pipeline/hot/newest-of-batch.ts";
import { makeBatch } from "../../dev/make-batch.ts";

/** A member whose record is `entry`; its documents do not change. */
function member(entry: string): FlushMember {
  const [update] = newestOfBatch(makeBatch([{ uuid: "GPU-a", timeMs: 0, metrics: { temperature: 1 } }]));
  if (update === undefined) throw new Error("a batch with a record has an update");
  const { state } = update;
  const flags = { writesRecord: true, writesState: false, isDisplaced: false, mustReread: false };
  return { host: "h", entry, plan: { update, state, host: "h", slot: "s", write: undefined, ...flags } };
}

test("a group of records has at most 512 KiB of UTF-8, unless it is one larger record", () => {
  const sizesOf = (entries: readonly string[]) => groupsOf(entries.map(member)).map(({ length }) => length);
  const quarter = "x".repeat(256 * 1024);
  expect(sizesOf([quarter, quarter, quarter])).toEqual([2, 1]);
  const twoBytes = "é".repeat(256 * 1024);
  expect(sizesOf([twoBytes, twoBytes, twoBytes])).toEqual([1, 1, 1]);
  expect(sizesOf([`${quarter}${twoBytes}`, quarter, quarter])).toEqual([1, 2]);
});
