import { expect, test } from "bun:test";
import { Instance } from "../../scripts/supervisor/instance.ts";
import { ScriptedMachine } from "./scripted-machine.ts";

type StateName = Instance["phase"];

/** A new instance in a state. */
function instanceIn(state: StateName): { machine: ScriptedMachine; instance: Instance } {
  const machine = new ScriptedMachine();
  const instance = new Instance({ role: "collector", number: 1, restarts: 0 }, machine);
  if (state !== "WAITING") instance.tick();
  if (state === "STOPPING") instance.stop("remove", 5000);
  if (state === "REMOVED") {
    machine.living.clear();
    instance.stop("remove", 5000);
    instance.tick();
  }
  expect(instance.phase).toBe(state);
  return { machine, instance };
}

const events = {
  tick: (instance: Instance) => void instance.tick(),
  "the process ends": (instance: Instance, machine: ScriptedMachine) => {
    machine.living.clear();
    instance.tick();
  },
  "no start is possible": (instance: Instance, machine: ScriptedMachine) => {
    machine.canStart = false;
    instance.tick();
  },
  "stop to remove": (instance: Instance) => instance.stop("remove", 5000),
  "stop to restart": (instance: Instance) => instance.stop("restart", 5000),
} as const;

const table: Readonly<Record<keyof typeof events, Readonly<Record<StateName, StateName>>>> = {
  tick: { WAITING: "RUNNING", RUNNING: "RUNNING", STOPPING: "STOPPING", REMOVED: "REMOVED" },
  "the process ends": { WAITING: "RUNNING", RUNNING: "WAITING", STOPPING: "REMOVED", REMOVED: "REMOVED" },
  "no start is possible": { WAITING: "WAITING", RUNNING: "RUNNING", STOPPING: "STOPPING", REMOVED: "REMOVED" },
  "stop to remove": { WAITING: "REMOVED", RUNNING: "STOPPING", STOPPING: "STOPPING", REMOVED: "REMOVED" },
  "stop to restart": { WAITING: "WAITING", RUNNING: "STOPPING", STOPPING: "STOPPING", REMOVED: "REMOVED" },
};

for (const [event, transitions] of Object.entries(table)) {
  test(`every state after: ${event}`, () => {
    for (const [from, to] of Object.entries(transitions)) {
      const { machine, instance } = instanceIn(from as StateName);
      events[event as keyof typeof events](instance, machine);
      expect([from, instance.phase]).toEqual([from, to]);
    }
  });
}

test("a process that ended unasked starts again after the pause, and is counted", () => {
  const { machine, instance } = instanceIn("RUNNING");
  machine.living.clear();
  instance.tick();
  machine.timeMs += 499;
  expect(instance.tick()).toBe(false);
  machine.timeMs += 1;
  expect([instance.tick(), instance.phase, instance.restarts, instance.lastError]).toEqual([
    true,
    "RUNNING",
    1,
    "it ended",
  ]);
});

test("a start that fails is repeated with growing pauses, and its reason is kept", () => {
  const { machine, instance } = instanceIn("WAITING");
  machine.canStart = false;
  for (let start = 0; start < 5; start += 1) {
    instance.tick();
    machine.timeMs += 30_000;
  }
  expect([instance.isCrashLoop, instance.lastError]).toEqual([true, "port 9200 is used by another process"]);
  expect(machine.starts).toBe(0);
});

test("a process that does not end in time is killed, and one that ended in time is not", () => {
  const { machine, instance } = instanceIn("STOPPING");
  machine.timeMs = 4999;
  instance.tick();
  expect(machine.signals).toEqual(["SIGTERM 1"]);
  machine.timeMs = 5000;
  instance.tick();
  instance.tick();
  expect([machine.signals, instance.phase, instance.killed]).toEqual([
    ["SIGTERM 1", "SIGKILL 1", "forgotten"],
    "REMOVED",
    true,
  ]);
});

test("a restart that was asked for is no failure: no pause, no count", () => {
  const { machine, instance } = instanceIn("RUNNING");
  instance.stop("restart", 5000);
  machine.living.clear();
  instance.tick();
  instance.tick();
  expect([instance.phase, instance.restarts, instance.process?.pid]).toEqual(["RUNNING", 0, 2]);
});

test("an instance that is to go does not come back because of a restart that came later", () => {
  const { machine, instance } = instanceIn("STOPPING");
  instance.stop("restart", 9000);
  machine.living.clear();
  instance.tick();
  expect(instance.phase).toBe("REMOVED");
});

test("a second stop sends no second SIGTERM, which would end the process without finishing its work", () => {
  const { machine, instance } = instanceIn("STOPPING");
  instance.stop("remove", 9000);
  expect(machine.signals).toEqual(["SIGTERM 1"]);
});
