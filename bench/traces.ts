import { parseArgs } from "node:util";
import { Registry } from "prom-client";
import { makeBatch } from "../dev/make-batch.ts";
import { startPostgres } from "../dev/servers/postgres.ts";
import { receiveSpans } from "../dev/traces/receive-spans.ts";
import { unshownLog } from "../dev/unshown-log.ts";
import { until } from "../dev/until.ts";
import { metricNames } from "../src/domain/metrics.ts";
import { systemClock as clock } from "../src/kit/clock.ts";
import { noTracing, type Tracing } from "../src/kit/tracing.ts";
import { Collector } from "../src/pipeline/collect/collector.ts";
import { MemoryHotTier } from "../src/pipeline/hot/memory/memory-hot-tier.ts";
import { silentListener as listener } from "../src/pipeline/observe/pipeline-listener.ts";
import { MemoryQueue } from "../src/pipeline/queue/memory/memory-queue.ts";
import { openPostgresStore } from "../src/pipeline/store/sql/open-postgres-store.ts";
import { keyedByInstant, messagesOf } from "../src/pipeline/stream/batch-messages.ts";
import { endPublished, traced } from "../src/pipeline/stream/publish-span.ts";
import { openOtlpTracing } from "../src/traces/open-otlp-tracing.ts";
import { print } from "./support/output.ts";
import { median } from "./support/statistics.ts";
import { measureOnServers } from "./traces/on-servers.ts";

// Measures what traces cost: the processor time of one process for each message, from the scrape's batch to the acknowledgement, with the
// store on TimescaleDB, without traces and with shares of them recorded. A message has 8 GPUs with 20 metrics. Each round has each case
// once, and the figures are medians of the rounds and of the differences within them, so that other work on the machine matters little.
// The receiver is a process of its own.
//
// With --servers, the messages are pushes to a process that is collector and gateway, with an etcd, and it is measured from outside.
//
// Usage: bun bench/traces.ts [--rounds 10] [--messages 500] [--servers]

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    messages: { type: "string", default: "500" },
    servers: { type: "boolean", default: false },
    receive: { type: "boolean", default: false },
  },
});
const messagesOfRound = Number(values.messages);
const metrics = metricNames.slice(0, 20);
let second = 1_750_000_000;

function nextBatch() {
  second += 1;
  const timeMs = second * 1000;
  const records = Array.from({ length: 8 }, (_, gpuId) => ({
    ...{ uuid: `GPU-${gpuId}`, gpuId, timeMs },
    metrics: Object.fromEntries(metrics.map((name, at) => [name, (second + at + gpuId) % 90])),
  }));
  return { timeMs, idempotencyKey: `bench:${timeMs}`, batch: makeBatch(records) };
}

async function measure(receiverUrl: string): Promise<void> {
  const url = `${receiverUrl}/v1/traces`;
  const postgres = await startPostgres();
  const { store } = await openPostgresStore({ url: postgres.url, migrate: true });
  const tracingOf = (ratio: number): Tracing =>
    openOtlpTracing({
      ...{
        url,
        headers: {},
        timeoutMs: 10_000,
        caFile: undefined,
        resource: { "service.name": "bench" },
        ratio,
        clock,
      },
      ...{ sampler: "traceidratio", delayMs: 5000, maxQueueSize: 100_000, registry: new Registry(), log: unshownLog() },
    }).tracing;
  const cases = { off: noTracing, "0.01": tracingOf(0.01), "1": tracingOf(1) };
  const pipelines = Object.entries(cases).map(([name, tracing]) => {
    const queue = new MemoryQueue({ topic: name, clock, capacityMessages: 100, leaseSeconds: 30, maxAttempts: 3 });
    const collector = new Collector({
      ...{ queue, store, clock, listener, tracing, log: unshownLog(), admit: () => Promise.resolve() },
      hotTier: new MemoryHotTier({ onCoalesced: () => undefined }),
      ...{ consumerId: name, workers: 2, leaseSeconds: 30, drainOnStop: false },
    });
    return { name, queue, collector, tracing };
  });
  const work = async ({ queue, tracing }: (typeof pipelines)[number], count: number): Promise<number> => {
    const began = process.cpuUsage();
    for (let at = 0; at < count; at += 1) {
      const live = traced({ tracing, clock }, { name: "scrape", sourceId: "bench" }, nextBatch());
      for (const { message, span } of messagesOf(keyedByInstant("bench", live), Infinity)) {
        const { receipts } = await queue.publish([message], { signal: new AbortController().signal });
        endPublished(span, receipts[0]);
      }
    }
    const isEmpty = async () => {
      const { readyMessages, inFlightMessages } = await queue.stats();
      return readyMessages + inFlightMessages === 0;
    };
    await until(isEmpty, { everyMs: 5, timeoutMs: 120_000 });
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1000 / count;
  };
  for (const pipeline of pipelines) {
    await pipeline.collector.start();
    await work(pipeline, messagesOfRound);
  }
  const rounds: Record<string, number>[] = [];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const measured: Record<string, number> = {};
    // in turn, so that none is always the first
    for (let at = 0; at < pipelines.length; at += 1) {
      const pipeline = pipelines[(at + round) % pipelines.length] as (typeof pipelines)[number];
      measured[pipeline.name] = await work(pipeline, messagesOfRound);
    }
    rounds.push(measured);
  }
  for (const name of Object.keys(cases)) {
    const of = rounds.map((round) => round[name] ?? NaN);
    const differences = rounds.map((round) => (round[name] ?? NaN) - (round["off"] ?? NaN));
    print(
      `${name.padEnd(5)} ${median(of).toFixed(3)} ms a message, ${median(differences).toFixed(3)} ms more than off`,
    );
  }
  await postgres.stop();
}

async function measureWithReceiver(): Promise<void> {
  const receiver = Bun.spawn([process.execPath, import.meta.path, "--receive"], { stdout: "pipe" });
  const { value } = await receiver.stdout.getReader().read();
  const url = new TextDecoder().decode(value).trim();
  const rounds = Number(values.rounds);
  if (values.servers) {
    await measureOnServers({ off: undefined, "0.01": "0.01", all: "1" }, url, {
      rounds,
      messages: messagesOfRound,
      metrics,
    });
  } else await measure(url);
  receiver.kill();
}

if (values.receive) print((await receiveSpans()).url);
else {
  await measureWithReceiver();
  process.exit(0);
}
