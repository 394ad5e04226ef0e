import { expect, test } from "bun:test";
import { BaseService } from "../../src/kit/base-service.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const log = unshownLog();
const soon = (): AbortSignal => AbortSignal.timeout(5000);

/** A service that records its steps. A test decides how its `open` and `run` end. */
class RecordedService extends BaseService {
  readonly steps: string[] = [];
  readonly opened = Promise.withResolvers<void>();
  readonly worked = Promise.withResolvers<void>();

  constructor() {
    super("recorded", log);
  }

  protected override async open(): Promise<void> {
    this.steps.push("open");
    await this.opened.promise;
  }

  protected override async run(): Promise<void> {
    this.steps.push("run");
    const stopped = new Promise<void>((resolve) => {
      this.stopping.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([this.worked.promise, stopped]);
  }

  protected override close(): Promise<void> {
    this.steps.push(this.deadline.aborted ? "close at once" : "close");
    return Promise.resolve();
  }
}

/** The calls that bring a service into each state. */
const states: Record<string, (service: RecordedService) => Promise<unknown>> = {
  IDLE: () => Promise.resolve(),
  STARTING: (service) => {
    void service.start();
    return Promise.resolve();
  },
  RUNNING: (service) => {
    service.opened.resolve();
    return service.start();
  },
  STOPPING: (service) => {
    void service.start();
    void service.stop(soon());
    return Promise.resolve();
  },
  STOPPED: async (service) => {
    service.opened.resolve();
    await service.start();
    await service.stop(soon());
  },
  "STOPPED before start": (service) => service.stop(soon()),
};

const events: Record<string, (service: RecordedService) => Promise<void>> = {
  start: (service) => service.start(),
  stop: (service) => service.stop(soon()),
  "stop now": (service) => service.stop(AbortSignal.abort()),
};

const allSteps = ["open", "run", "close"];
/** By state and event: the steps that have been called once `open` has ended and the event's call has returned. */
const expected: Record<string, Record<string, readonly string[]>> = {
  IDLE: { start: ["open", "run"], stop: [], "stop now": [] },
  STARTING: { start: ["open", "run"], stop: ["open", "close"], "stop now": ["open", "close at once"] },
  RUNNING: { start: ["open", "run"], stop: allSteps, "stop now": ["open", "run", "close at once"] },
  STOPPING: { start: ["open", "close"], stop: ["open", "close"], "stop now": ["open", "close at once"] },
  STOPPED: { start: allSteps, stop: allSteps, "stop now": allSteps },
  "STOPPED before start": { start: [], stop: [], "stop now": [] },
};

for (const [state, enter] of Object.entries(states)) {
  for (const [event, send] of Object.entries(events)) {
    test(`${state} -${event}-> ${expected[state]?.[event]?.join(", ") || "no step"}`, async () => {
      const service = new RecordedService();
      await enter(service);
      const sent = send(service);
      service.opened.resolve();
      await sent;
      await new Promise((resolve) => setImmediate(resolve));
      expect(service.steps).toEqual([...(expected[state]?.[event] ?? [])]);
      await service.stop(soon());
      expect(service.steps.filter((step) => step.startsWith("close"))).toHaveLength(service.steps.length > 0 ? 1 : 0);
    });
  }
}

test("a service that cannot open is closed immediately, and every start throws the reason", async () => {
  const service = new RecordedService();
  service.opened.reject(new Error("the port is taken"));
  await expect(service.start()).rejects.toThrow("the port is taken");
  expect(service.steps).toEqual(["open", "close at once"]);
  await expect(service.start()).rejects.toThrow("the port is taken");
  await service.stop(soon());
  expect(service.steps).toEqual(["open", "close at once"]);
});

test("start does not throw an error that a stop causes in open", async () => {
  const service = new RecordedService();
  const starting = service.start();
  const stopping = service.stop(soon());
  service.opened.reject(new Error("interrupted"));
  await Promise.all([starting, stopping]);
  expect(service.steps).toEqual(["open", "close"]);
});

test("an error that run throws is reported, and stop still closes the service", async () => {
  const service = new RecordedService();
  service.opened.resolve();
  await service.start();
  expect(service.error()).toBeUndefined();
  service.worked.reject(new Error("the file vanished"));
  await service.worked.promise.catch(() => undefined);
  await Promise.resolve();
  expect(service.error()).toBe("recorded service stopped: the file vanished");
  await service.stop(soon());
  expect(service.steps).toEqual(allSteps);
});

test("the earliest deadline of several stops applies to all of them", async () => {
  const service = new RecordedService();
  const starting = service.start();
  const patient = service.stop(soon());
  const urgent = service.stop(AbortSignal.abort());
  service.opened.resolve();
  await Promise.all([starting, patient, urgent]);
  expect(service.steps).toEqual(["open", "close at once"]);
});

test("a service reports a repeated error while the error lasts; an error that ends the service's work has precedence", async () => {
  class Failing extends RecordedService {
    readonly first = this.repeatedError({ prefix: "first", ended: "first ended" });
    readonly second = this.repeatedError({ prefix: "second", ended: "second ended" });
  }
  const service = new Failing();
  service.opened.resolve();
  await service.start();
  expect(service.error()).toBeUndefined();
  service.second.record(new Error("no space"));
  expect(service.error()).toBe("second: no space");
  service.first.record(new Error("no answer"));
  expect(service.error()).toBe("first: no answer");
  service.first.clear();
  service.second.clear();
  expect(service.error()).toBeUndefined();
  service.second.record(new Error("no space"));
  service.worked.reject(new Error("cannot continue"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(service.error()).toBe("recorded service stopped: cannot continue");
  await service.stop(soon());
});
