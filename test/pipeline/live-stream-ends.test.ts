import { expect, test } from "bun:test";
import { makeBatch, type TestRecord } from "../../dev/make-batch.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { until } from "../../dev/until.ts";
import type { ReadingFault } from "../../src/domain/reading.ts";
import { aborted } from "../../src/kit/aborted.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { decodePayload } from "../../src/pipeline/queue/batch-codec.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { SimulatedSource } from "../../src/pipeline/source/simulated/simulated-source.ts";
import type { LiveBatch, LiveSource } from "../../src/pipeline/source/source.ts";
import { LocalLiveAssignment } from "../../src/pipeline/stream/assignment/local-live-assignment.ts";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { BatchPublisher } from "../../src/pipeline/stream/batch-publisher.ts";
import { LiveStream } from "../../src/pipeline/stream/live-stream.ts";
import { type ReadSeries, withEnds } from "../../src/pipeline/stream/read-series.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { ManualClock } from "../support/manual-clock.ts";

// A source that one streamer reads, such as nvidia-smi, tells ends as the targets of a streamer do.

const intervalMs = 1000;
const log = unshownLog();

/** One reading that was read, or the reason why it was missed. */
type Reading = readonly Omit<TestRecord, "timeMs">[] | ReadingFault;

/** Yields a batch for each part of each reading. */
class ToldReadings implements LiveSource {
  readonly sourceId = "told";
  readonly description = "told";

  constructor(private readonly readings: readonly (readonly Reading[])[]) {}

  async *read(_afterMs: number, signal: AbortSignal): AsyncIterable<LiveBatch> {
    for (const [index, parts] of this.readings.entries()) {
      const timeMs = (index + 1) * intervalMs;
      for (const [part, told] of parts.entries()) {
        const reason = typeof told === "string" ? told : undefined;
        const records = typeof told === "string" ? [] : told.map((record) => ({ ...record, timeMs }));
        yield {
          ...{ timeMs, idempotencyKey: `${timeMs} ${part}`, batch: makeBatch(records) },
          ...(parts.length > 1 && { part: String(part) }),
          reading: {
            ...{ timeMs, intervalMs, outcome: reason === undefined ? "read" : "missed", count: part === 0 ? 1 : 0 },
            ...(reason !== undefined && { reason, message: "" }),
          },
        };
      }
    }
    await aborted(signal);
  }
}

/** Streams a source until it has published so many messages. @returns their ends, as `second since: device series` */
async function endsOf(source: LiveSource, messages: number): Promise<readonly (readonly string[])[]> {
  const queue = new MemoryQueue({ topic: "t", clock, capacityMessages: 1000, leaseSeconds: 5, maxAttempts: 3 });
  const retries = new StreamRetries({ clock, listener, log });
  const publisher = new BatchPublisher({
    ...{ queue, clock, listener, retries, messageMaxBytes: 1e6 },
    bucket: new TokenBucket({ tokensPerSecond: 0, burstTokens: 1, clock }),
    backPressure: new BackPressure({ lowMessages: 500, highMessages: 900, clock }),
  });
  const assignment = new LocalLiveAssignment({ latestInstantMs: () => Promise.resolve(undefined) }, clock);
  const stop = new AbortController();
  const running = new LiveStream({ source, assignment, publisher, retries, log, clock }).run(stop.signal);
  await until(async () => (await queue.stats()).readyMessages >= messages, { timeoutMs: 20_000 });
  stop.abort();
  await running;
  const deliveries = await queue.claim({
    consumerId: "test",
    maxMessages: messages,
    signal: new AbortController().signal,
  });
  return deliveries.map(({ envelope, payload }) => {
    const { ends = [] } = decodePayload({ ...envelope, payload });
    return ends.map(({ uuid, timeMs, sinceMs = NaN, series }) =>
      [timeMs / 1000, `${sinceMs / 1000}:`, uuid, ...series].join(" "),
    );
  });
}

test("what a reading no longer has, or all if it fails, has ended; what the pipeline misses tells nothing", async () => {
  const gpu = { uuid: "a", metrics: { temperature: 30, 'processes{process="python"}': 2 } };
  const instance = { uuid: "a:mig:1:", metrics: { memory_used_mb: 100 } };
  const idle = { uuid: "a", metrics: { temperature: 30 } };
  const readings: readonly (readonly Reading[])[] = [[[gpu, instance]], ["no_streamer"], [[idle]], ["command_failed"]];
  expect(await endsOf(new ToldReadings(readings), 4)).toEqual([
    [],
    [],
    ["3 1: a:mig:1: memory_used_mb", '3 1: a processes{process="python"}'],
    ["4 3: a temperature"],
  ]);
});

test("of a reading that takes several batches, each tells the ends of its own devices", async () => {
  const gpu = (uuid: string) => ({ uuid, metrics: { temperature: 30 } });
  const [a, b] = [gpu("a"), gpu("b")];
  expect(
    await endsOf(
      new ToldReadings([
        [[a], [b]],
        [[a], []],
        [[], [b]],
      ]),
      6,
    ),
  ).toEqual([...[[], []], ...[[], ["2 1: b temperature"]], ...[["3 2: a temperature"], []]]);
});

test("the devices of the simulated fleet that fall silent have ended, whatever part of the fleet they are in", async () => {
  const manual = new ManualClock();
  const seconds = 90;
  const fleet = { hosts: 31, gpusPerHost: 8, seed: 1, intervalMs, clusterId: "c", batchMaxSamples: 50 };
  const stop = new AbortController();
  const [reported, ended] = [new Map<number, Set<string>>(), new Map<number, Set<string>>()];
  const known = new Map<string | undefined, ReadSeries | undefined>();
  const reading = (async () => {
    for await (const batch of new SimulatedSource({ ...fleet, clock: manual }).read(-Infinity, stop.signal)) {
      const { live, after } = withEnds(batch, known.get(batch.part));
      known.set(batch.part, after);
      const { gpus, ends = [] } = live.batch;
      addAll(reported, batch.timeMs, gpus);
      addAll(ended, batch.timeMs, ends);
    }
  })();
  await manual.advance(seconds * intervalMs);
  stop.abort();
  await reading;
  expect(known.size).toBeGreaterThan(10);
  const times = [...reported.keys()];
  let silent = 0;
  for (const [index, timeMs] of times.entries()) {
    const before = reported.get(times[index - 1] ?? NaN) ?? new Set();
    const gone = before.difference(reported.get(timeMs) ?? new Set());
    silent += gone.size;
    expect([...(ended.get(timeMs) ?? [])].sort()).toEqual([...gone].sort());
  }
  expect(silent).toBeGreaterThan(0);
});

function addAll(uuids: Map<number, Set<string>>, timeMs: number, of: readonly { readonly uuid: string }[]): void {
  uuids.set(timeMs, (uuids.get(timeMs) ?? new Set()).union(new Set(of.map(({ uuid }) => uuid))));
}
