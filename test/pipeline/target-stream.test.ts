import { expect, test } from "bun:test";
import pino from "pino";
import { until } from "../../dev/until.ts";
import { aborted } from "../../src/kit/aborted.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import type { LiveSource } from "../../src/pipeline/source/source.ts";
import type { SourcesChange, TargetSources } from "../../src/pipeline/source/target-sources.ts";
import { LocalLiveAssignment } from "../../src/pipeline/stream/assignment/local-live-assignment.ts";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { BatchPublisher } from "../../src/pipeline/stream/batch-publisher.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { TargetStream } from "../../src/pipeline/stream/target-stream.ts";
import { batchAt } from "../contract/live-assignment.ts";

const log = pino({ level: "silent" });

/** Yields a batch, and then waits for its end. */
class OneBatch implements LiveSource {
  readonly description: string;

  constructor(
    readonly sourceId: string,
    private readonly error?: Error,
  ) {
    this.description = sourceId;
  }

  async *read(_afterMs: number, signal: AbortSignal) {
    yield batchAt(this.sourceId, 1);
    if (this.error !== undefined) throw this.error;
    await aborted(signal);
  }
}

/** Targets that the test adds and removes. */
class ToldTargets implements TargetSources {
  readonly description = "told";
  readonly error = undefined;
  current: readonly LiveSource[] = [];
  private onChange: (change: SourcesChange) => void = () => undefined;

  follow(onChange: (change: SourcesChange) => void, signal: AbortSignal): Promise<void> {
    this.onChange = onChange;
    return aborted(signal);
  }

  change(added: readonly LiveSource[], removed: readonly LiveSource[] = []): void {
    this.onChange({ added, removed });
  }
}

function open() {
  const queue = new MemoryQueue({ topic: "t", clock, capacityMessages: 100, leaseSeconds: 5, maxAttempts: 3 });
  const retries = new StreamRetries({ clock, listener, log });
  const bucket = new TokenBucket({ tokensPerSecond: 0, burstTokens: 1, clock });
  const backPressure = new BackPressure({ lowMessages: 50, highMessages: 90, clock });
  const publisher = new BatchPublisher({ queue, bucket, backPressure, messageMaxBytes: 1e6, clock, listener, retries });
  const assignment = new LocalLiveAssignment({ latestInstantMs: () => Promise.resolve(undefined) });
  const targets = new ToldTargets();
  const stream = new TargetStream({ targets, assignment, publisher, retries, log });
  const halt = new AbortController();
  const ended = stream.run(halt.signal);
  const ready = async (): Promise<number> => (await queue.stats()).readyMessages;
  return { stream, targets, ready, ended, stop: () => (halt.abort(), ended) };
}

test("targets that come are read, those that go are not, and a stop ends all", async () => {
  const { stream, targets, ready, stop } = open();
  const [a, b, c] = [new OneBatch("a"), new OneBatch("b"), new OneBatch("c")];
  targets.change([a, b]);
  await until(async () => (await ready()) === 2);
  expect(stream.share).toBe(2);
  targets.change([c], [a]);
  await until(async () => (await ready()) === 3 && stream.share === 2);
  targets.change([], [b, c]);
  await until(() => stream.share === 0);
  targets.change([a]);
  await until(() => stream.share === 1);
  await stop();
  expect(stream.share).toBe(0);
});

test("an error of one target that cannot be retried ends the stream with this error", async () => {
  const { targets, ended } = open();
  targets.change([new OneBatch("a"), new OneBatch("b", new Error("broken"))]);
  await expect(ended).rejects.toThrow("broken");
});
