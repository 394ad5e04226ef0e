import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/kit/clock.ts";
import type { Service } from "../../src/kit/service.ts";
import { within } from "../../src/kit/within.ts";
import { randomFrom } from "../support/random.ts";

/** A service before its start, and the number of its calls to its parts. */
export interface OpenedService {
  readonly service: Service;
  /** The number of calls so far. */
  readonly calls: () => number;
}

/** Every start and every stop must end within this time. */
const timeoutMs = 10_000;
/** A service that still worked would call its parts within this time. */
const quietMs = 30;

const inTime = <T>(promise: Promise<T>): Promise<T> => within(systemClock, timeoutMs, () => promise);
const deadline = (): AbortSignal => AbortSignal.timeout(timeoutMs);

/** The contract of every service's start and stop. */
export function exerciseService(name: string, open: () => OpenedService): void {
  const expectQuiet = async ({ calls }: OpenedService): Promise<void> => {
    const callsAtStop = calls();
    await Bun.sleep(quietMs);
    expect(calls()).toBe(callsAtStop);
  };

  describe(`the start and stop of ${name}`, () => {
    test("it works after two starts, and makes no calls after a stop", async () => {
      const opened = open();
      await inTime(opened.service.start());
      await inTime(opened.service.start());
      await inTime(firstCall(opened));
      await inTime(opened.service.stop(deadline()));
      await expectQuiet(opened);
    });

    test("it makes no calls after several stops, even concurrent ones", async () => {
      const opened = open();
      const { service } = opened;
      await inTime(service.start());
      await inTime(Promise.all([service.stop(deadline()), service.stop(deadline())]));
      await inTime(service.stop(deadline()));
      await expectQuiet(opened);
    });

    test("if it is stopped before its start, it never starts", async () => {
      const opened = open();
      await inTime(opened.service.stop(deadline()));
      await inTime(opened.service.start());
      await Bun.sleep(quietMs);
      expect(opened.calls()).toBe(0);
      await inTime(opened.service.stop(deadline()));
    });

    test("if it is stopped while it starts, both the start and the stop end", async () => {
      const opened = open();
      const starting = opened.service.start();
      await inTime(Promise.all([starting, opened.service.stop(deadline())]));
      await expectQuiet(opened);
    });

    test("a stop whose deadline has passed ends, and no calls follow", async () => {
      const opened = open();
      await inTime(opened.service.start());
      await inTime(opened.service.stop(AbortSignal.abort()));
      await expectQuiet(opened);
    });

    test("a stopped service does not start again", async () => {
      const opened = open();
      const { service } = opened;
      await inTime(service.start());
      await inTime(service.stop(deadline()));
      const callsAtStop = opened.calls();
      await inTime(service.start());
      await Bun.sleep(quietMs);
      expect(opened.calls()).toBe(callsAtStop);
    });

    test("concurrent starts and stops all end, and no calls follow", async () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const opened = open();
        await inTime(stress(opened.service, randomFrom(seed)));
        await expectQuiet(opened);
      }
    }, 60_000);
  });
}

/** Ten callers start and stop the service, each in its own order and at its own pace. */
async function stress(service: Service, random: () => number): Promise<void> {
  const callers = Array.from({ length: 10 }, async () => {
    for (let turn = 0; turn < 10; turn += 1) {
      if (random() < 0.3) await Bun.sleep(random() * 3);
      if (random() < 0.7) await service.start();
      else await service.stop(random() < 0.5 ? AbortSignal.abort() : deadline());
    }
  });
  await Promise.all(callers);
  await service.stop(deadline());
}

/** Resolves when the service has called one of its parts. */
async function firstCall({ calls }: OpenedService): Promise<void> {
  while (calls() === 0) await Bun.sleep(1);
}

/** Wraps a part, and counts the calls of its methods. */
export function counted<T extends object>(part: T): { readonly part: T; readonly calls: () => number } {
  const called: PropertyKey[] = [];
  const counting = new Proxy(part, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        called.push(name);
        return Reflect.apply(member, target, args);
      };
    },
  });
  return { part: counting, calls: () => called.length };
}
