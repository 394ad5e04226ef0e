import { expect, test } from "bun:test";
import { withoutPredecessors } from "../../src/scaling/registry/without-predecessors.ts";
import { instanceOf } from "../contract/service-registry.ts";

const entry = (id: string, startedAt: string, updatedAt: string) =>
  instanceOf(id, {
    name: "collector-2",
    started_at: `2025-07-18T${startedAt}Z`,
    updated_at: `2025-07-18T${updatedAt}Z`,
  });
const idsOf = (...entries: ReturnType<typeof instanceOf>[]): string[] =>
  withoutPredecessors(entries).map(({ instance_id: id }) => id);

test("of two entries of one name, that of the process that died before the other started is left out", () => {
  const [dead, alive] = [entry("dead", "10:00:00", "10:05:00"), entry("alive", "10:05:02", "10:05:03")];
  expect([idsOf(dead, alive), idsOf(alive, dead), idsOf(dead)]).toEqual([["alive"], ["alive"], ["dead"]]);
});

test("two processes that run under one name by mistake both count, and processes of other names do", () => {
  const [first, second] = [entry("first", "10:00:00", "10:05:05"), entry("second", "10:05:02", "10:05:03")];
  expect(idsOf(first, second, instanceOf("other"))).toEqual(["first", "second", "other"]);
});
