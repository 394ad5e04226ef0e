import { describe, expect, test } from "bun:test";
import { until } from "../../dev/until.ts";
import type { TargetDiscovery } from "../../src/pipeline/source/exporter/discovery/target-discovery.ts";
import type { ManualClock } from "../support/manual-clock.ts";

/** A discovery under test, which has found two targets, and the ways to change what it finds. A discovery whose targets never change
 *  has none. */
export interface OpenDiscovery {
  readonly discovery: TargetDiscovery;
  readonly clock: ManualClock;
  /** The names of the targets at first. */
  readonly names: readonly string[];
  readonly changes?: {
    /** Makes the discovery find these targets. */
    readonly find: (names: readonly string[]) => Promise<void>;
    /** Makes reading the targets fail. */
    readonly fail: () => Promise<void>;
  };
  close(): Promise<void>;
}

/** Longer than the pause between two reads of any driver. */
const pauseMs = 60_000;

class Following {
  readonly passed: (readonly string[])[] = [];
  private readonly halt = new AbortController();
  private readonly ended: Promise<void>;

  constructor(private readonly opened: OpenDiscovery) {
    this.ended = opened.discovery.follow(
      (targets) => this.passed.push(targets.map(({ name }) => name).sort()),
      this.halt.signal,
    );
  }

  end(): Promise<void> {
    this.halt.abort();
    return this.ended;
  }

  /** Lets the discovery read again and again until the condition is true. */
  async readUntil(condition: () => boolean): Promise<void> {
    await until(async () => {
      await this.opened.clock.advance(pauseMs);
      return condition();
    });
  }

  /** Lets the discovery read twice. */
  async readTwice(): Promise<void> {
    for (let read = 0; read < 2; read += 1) {
      await until(async () => {
        await this.opened.clock.advance(0);
        return this.opened.clock.sleeperCount > 0 || this.opened.changes === undefined;
      });
      await this.opened.clock.advance(pauseMs);
    }
  }
}

/** The contract of every driver of TargetDiscovery. */
export function exerciseTargetDiscovery(name: string, open: () => Promise<OpenDiscovery>): void {
  describe(`${name} keeps the contract of a target discovery`, () => {
    const withOpened = async (run: (opened: OpenDiscovery, following: Following) => Promise<void>): Promise<void> => {
      const opened = await open();
      const following = new Following(opened);
      try {
        await run(opened, following);
      } finally {
        await following.end();
        await opened.close();
      }
    };

    test("it passes the targets on once, and not again while they are the same", () =>
      withOpened(async ({ names, discovery }, following) => {
        await following.readUntil(() => following.passed.length > 0);
        await following.readTwice();
        expect(following.passed).toEqual([names]);
        expect(discovery.error).toBeUndefined();
      }));

    test("an abort ends it, and nothing is passed on after that", async () => {
      const opened = await open();
      const following = new Following(opened);
      await following.end();
      const passed = following.passed.length;
      await opened.clock.advance(pauseMs);
      expect(following.passed.length).toBe(passed);
      expect(opened.clock.sleeperCount).toBe(0);
      await opened.discovery.follow(() => following.passed.push(["late"]), AbortSignal.abort());
      expect(following.passed.length).toBe(passed);
      await opened.close();
    });

    test("a change is passed on, if the driver's targets can change", () =>
      withOpened(async ({ names, changes }, following) => {
        if (changes === undefined) return;
        await following.readUntil(() => following.passed.length > 0);
        await changes.find(["c:9400"]);
        await following.readUntil(() => following.passed.length > 1);
        expect(following.passed).toEqual([names, ["c:9400"]]);
      }));

    test("an error leaves the targets as they were, and says what is wrong until it has ended", () =>
      withOpened(async ({ names, changes, discovery }, following) => {
        if (changes === undefined) return;
        await following.readUntil(() => following.passed.length > 0);
        await changes.fail();
        await following.readUntil(() => discovery.error !== undefined);
        expect(discovery.error).toContain(discovery.description);
        expect(following.passed).toEqual([names]);
        await changes.find([...names]);
        await following.readUntil(() => discovery.error === undefined);
        expect(following.passed).toEqual([names]);
      }));
  });
}
