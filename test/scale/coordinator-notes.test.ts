import { expect, test } from "bun:test";
import { coordinatorNotes } from "../../scripts/scale/coordinator-notes.ts";
import type { ShownRole, Status } from "../../scripts/supervisor/protocol.ts";

const nowMs = Date.UTC(2026, 0, 1);

function notes(collector: ShownRole, coordinators = 1): readonly string[] {
  const none = { count: 0 };
  const roles: Status["roles"] = {
    ...{ streamer: { count: 2 }, gateway: { count: 2 }, balancer: none },
    ...{ collector, coordinator: { count: coordinators } },
  };
  return coordinatorNotes({ roles, instances: [] }, { SCALING_COLLECTOR_MAX: "6" }, nowMs).slice(2);
}

const commanded = (count: number, secondsAgo: number): ShownRole => ({
  count,
  command: { count, at: new Date(nowMs - secondsAgo * 1000).toISOString() },
});

test("the number that a command set is said with the time for which the coordinator does not go below it", () => {
  expect(notes(commanded(4, 0))).toEqual([
    "collectors: a command set 4; not fewer for 10 min, more if the load needs them",
  ]);
  expect(notes(commanded(4, 570))[0]).toContain("not fewer for 30 s");
  const others = [commanded(4, 600), { count: 4 }, commanded(1, 0)].map((role) => notes(role));
  expect([...others, notes(commanded(4, 0), 0)]).toEqual([[], [], [], []]);
});

test("a number outside the coordinator's limits is said to become the limit", () => {
  expect(notes(commanded(7, 0))).toEqual(["collectors: a command set 7, but SCALING_COLLECTOR_MAX=6"]);
  expect(notes(commanded(0, 0))).toEqual(["collectors: a command set 0, but SCALING_COLLECTOR_MIN=1"]);
});

test("every line fits 80 columns", () => {
  const roles = { ...commanded(100, 0), count: 1 };
  const status = { roles: { streamer: roles, collector: roles, gateway: roles, coordinator: roles, balancer: roles } };
  const settings = { SCALING_STREAMER_MAX: "100", SCALING_COLLECTOR_MAX: "100", SCALING_GATEWAY_MAX: "10" };
  const lines = coordinatorNotes({ ...status, instances: [] }, settings, nowMs);
  expect([lines.length, lines.every((line) => line.length <= 80)]).toEqual([5, true]);
});
