import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import { onStopSignals } from "../../src/kit/stop-signals.ts";
import { ManualClock } from "../support/manual-clock.ts";

function listened() {
  const [signals, clock, calls] = [new EventEmitter(), new ManualClock(), [] as string[]];
  onStopSignals(signals, clock, {
    first: (signal) => calls.push(`first ${signal}`),
    again: (signal) => calls.push(`again ${signal}`),
  });
  return { signals, clock, calls };
}

test("Ctrl-C under `bun run`, which passes on a copy of the signal, does not end a process in the middle of its work", async () => {
  const { signals, clock, calls } = listened();
  signals.emit("SIGINT");
  signals.emit("SIGINT");
  await clock.advance(20);
  signals.emit("SIGTERM");
  expect(calls).toEqual(["first SIGINT"]);
});

test("Ctrl-C that is pressed again is told as a second signal", async () => {
  const { signals, clock, calls } = listened();
  signals.emit("SIGTERM");
  await clock.advance(1000);
  signals.emit("SIGINT");
  expect(calls).toEqual(["first SIGTERM", "again SIGINT"]);
});
