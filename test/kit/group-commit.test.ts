import { expect, test } from "bun:test";
import { aborted } from "../../src/kit/aborted.ts";
import { GroupCommit } from "../../src/kit/group-commit.ts";

test("a pause between two groups ends when enough items wait", async () => {
  const groups: (readonly number[])[] = [];
  const commit = new GroupCommit<number, number>(
    (items) => {
      groups.push(items);
      return Promise.resolve(items);
    },
    100,
    { pause: (enough) => aborted(enough), enoughItems: 3 },
  );
  await commit.submit(1);
  const waiting = [2, 3].map((item) => commit.submit(item));
  await Bun.sleep(1);
  expect(groups).toEqual([[1]]);
  expect(await Promise.all([...waiting, commit.submit(4)])).toEqual([2, 3, 4]);
  expect(groups).toEqual([[1], [2, 3, 4]]);
});

test("a group without a pause is followed by the items that were submitted meanwhile", async () => {
  const groups: (readonly number[])[] = [];
  const commit = new GroupCommit<number, number>(async (items) => {
    groups.push(items);
    await Promise.resolve();
    return items;
  }, 2);
  expect(await Promise.all([1, 2, 3].map((item) => commit.submit(item)))).toEqual([1, 2, 3]);
  expect(groups).toEqual([[1, 2], [3]]);
});
