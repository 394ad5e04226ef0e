import { expect, test } from "bun:test";
import { startAll, stopAll } from "../../src/kit/run-services.ts";
import type { Service } from "../../src/kit/service.ts";

function recorded(name: string, events: string[], failing: "start" | "stop" | "both" | "never" = "never"): Service {
  return {
    name,
    isUpkeep: false,
    start: () => {
      events.push(`start ${name}`);
      return failing === "start" || failing === "both"
        ? Promise.reject(new Error(`${name} cannot start`))
        : Promise.resolve();
    },
    stop: () => {
      events.push(`stop ${name}`);
      return failing === "stop" || failing === "both"
        ? Promise.reject(new Error(`${name} cannot stop`))
        : Promise.resolve();
    },
    error: () => undefined,
    activity: () => undefined,
  };
}

test("services start in order and stop in reverse order", async () => {
  const events: string[] = [];
  const services = [recorded("collector", events), recorded("streamer", events)];
  await startAll(services);
  await stopAll(services, AbortSignal.timeout(1000));
  expect(events).toEqual(["start collector", "start streamer", "stop streamer", "stop collector"]);
});

test("if a service cannot start, it and the services before it are stopped", async () => {
  const events: string[] = [];
  const services = [recorded("a", events), recorded("b", events, "start"), recorded("c", events)];
  await expect(startAll(services)).rejects.toThrow("b cannot start");
  expect(events).toEqual(["start a", "start b", "stop b", "stop a"]);
});

test("if stopping fails too, the error says why the service could not start, and has the errors of the stop", async () => {
  const services = [recorded("a", [], "stop"), recorded("b", [], "both")];
  const error = await startAll(services).catch((thrown: unknown) => thrown as AggregateError);
  expect(error).toBeInstanceOf(AggregateError);
  expect(error?.message).toContain("b cannot start");
  expect(error?.errors.map(String)).toEqual(["Error: b cannot start", "Error: b cannot stop", "Error: a cannot stop"]);
});

test("a service that cannot stop does not keep the others running", async () => {
  const events: string[] = [];
  const services = [recorded("a", events), recorded("b", events, "stop")];
  await expect(stopAll(services, AbortSignal.timeout(1000))).rejects.toThrow("1 service(s)");
  expect(events).toEqual(["stop b", "stop a"]);
});

/** A service whose stop ends when the test lets it. */
function slowToStop(name: string, events: string[]): Service & { readonly end: () => void } {
  const ended = Promise.withResolvers<void>();
  const stop = (): Promise<void> => {
    events.push(`stop ${name}`);
    return ended.promise;
  };
  return { ...recorded(name, events), stop, end: ended.resolve };
}

test("upkeep that is slow to stop does not delay the stop of the others; the stop of all waits for it", async () => {
  const events: string[] = [];
  const slow = slowToStop("upkeep", events);
  const stopping = stopAll(
    [recorded("a", events), { ...slow, isUpkeep: true }, recorded("b", events)],
    AbortSignal.timeout(10_000),
  );
  void stopping.then(() => events.push("all have stopped"));
  await Bun.sleep(10);
  expect(events).toEqual(["stop upkeep", "stop b", "stop a"]);
  slow.end();
  await stopping;
  expect(events.at(-1)).toBe("all have stopped");
});

test("a service that has not stopped at the deadline keeps the others waiting until then, not longer", async () => {
  const events: string[] = [];
  const slow = slowToStop("b", events);
  const deadline = new AbortController();
  const stopping = stopAll([recorded("a", events), slow], deadline.signal);
  await Bun.sleep(10);
  expect(events).toEqual(["stop b"]);
  deadline.abort();
  await Bun.sleep(10);
  expect(events).toEqual(["stop b", "stop a"]);
  slow.end();
  await stopping;
});
