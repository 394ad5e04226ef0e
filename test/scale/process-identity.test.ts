import { expect, test } from "bun:test";
import { identify, isRunning, signalProcess } from "../../scripts/supervisor/process-identity.ts";

test("a process is the same as long as it runs, and gone when it has ended", async () => {
  const child = Bun.spawn(["sleep", "60"]);
  const identity = identify(child.pid);
  expect(identity).toMatchObject({ pid: child.pid });
  if (identity === undefined) return;
  expect(isRunning(identity)).toBe(true);
  signalProcess(identity, "SIGTERM");
  await child.exited;
  expect([isRunning(identity), identify(child.pid)]).toEqual([false, undefined]);
  signalProcess(identity, "SIGTERM");
});

test("a stranger with the id of a process that has ended is not that process, and gets no signal", async () => {
  const stranger = Bun.spawn(["sleep", "60"]);
  const earlier = { pid: stranger.pid, startedAt: "long ago" };
  expect(isRunning(earlier)).toBe(false);
  signalProcess(earlier, "SIGKILL");
  await Bun.sleep(50);
  expect(stranger.exitCode).toBeNull();
  stranger.kill();
  await stranger.exited;
});

test("a process that has ended but was not removed from the process table does not run", async () => {
  // the shell becomes a sleep, which does not remove its child
  const parent = Bun.spawn(["sh", "-c", "sleep 0.1 & echo $!; exec sleep 60"], { stdout: "pipe" });
  const { value } = await parent.stdout.getReader().read();
  const pid = Number(new TextDecoder().decode(value));
  const identity = identify(pid);
  await Bun.sleep(400);
  expect([identity?.pid, identify(pid)]).toEqual([pid, undefined]);
  parent.kill();
  await parent.exited;
});
