import { afterEach, describe, expect, test } from "bun:test";
import pino from "pino";
import { until } from "../../../dev/until.ts";
import { AnswerMemory } from "../../../src/pipeline/source/exporter/answer-memory.ts";
import { ExporterSource } from "../../../src/pipeline/source/exporter/exporter-source.ts";
import { Schedule } from "../../../src/pipeline/source/schedule.ts";
import { ScrapeClient } from "../../../src/pipeline/source/exporter/scrape-client.ts";
import { readTarget, type Target } from "../../../src/pipeline/source/exporter/target.ts";
import type { ReceivedExposition } from "../../../src/pipeline/source/exposition/scanned-exposition.ts";
import type { LiveBatch } from "../../../src/pipeline/source/source.ts";
import { exerciseLiveSource } from "../../contract/live-source.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { type Answering, dcgmText, exposition, type ExporterServer, startExporter } from "./exporter-server.ts";
import { LineReader } from "./line-reader.ts";
import { logSerializers } from "../../../src/terminal/log.ts";

const intervalMs = 15_000;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Counts the scrapes that are under way. */
class CountingClient extends ScrapeClient {
  underWay = 0;

  override async scrape(url: string, signal: AbortSignal): Promise<ReceivedExposition> {
    this.underWay += 1;
    try {
      return await super.scrape(url, signal);
    } finally {
      this.underWay -= 1;
    }
  }
}

function openSource(address: string, clock: ManualClock, lines: string[] = []) {
  const security = { tls: () => ({}), insecure: false, authorization: () => Promise.resolve(undefined) };
  const memory = new AnswerMemory(1e8);
  const client = new CountingClient({ timeoutMs: 300, maxBytes: 1e6, memory, security });
  const target = readTarget({ address, labels: { rack: "r1" } }, "lab") as Target;
  const log = pino(
    { base: null, serializers: logSerializers },
    { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const openReader = (): LineReader => new LineReader();
  const source = new ExporterSource(target, {
    client,
    openReader,
    clock,
    intervalMs,
    streamer: "streamer-1",
    log,
    onMissed: () => undefined,
  });
  return { source, client, settled: () => until(() => client.underWay === 0, { everyMs: 1 }).then(() => undefined) };
}

/** Reads a source in the background. */
class Reading {
  readonly batches: LiveBatch[] = [];
  private readonly halt = new AbortController();
  private readonly ended: Promise<void>;

  constructor(
    opened: ReturnType<typeof openSource>,
    private readonly clock: ManualClock,
    afterMs = -Infinity,
  ) {
    this.ended = (async () => {
      for await (const batch of opened.source.read(afterMs, this.halt.signal)) this.batches.push(batch);
    })();
  }

  /** Advances by one interval and waits for the scrape that is due in it. @returns its batch */
  async next(): Promise<LiveBatch> {
    const before = this.batches.length;
    await this.clock.advance(intervalMs);
    await until(() => this.batches.length > before, { everyMs: 1 });
    return this.batches.at(-1) as LiveBatch;
  }

  end(): Promise<void> {
    this.halt.abort();
    return this.ended;
  }
}

function openAll(first: Answering = exposition(dcgmText("h", 300))) {
  const server = startExporter(first);
  // 5 s after a scheduled time: the first scrape is due in the first interval, and none is due at once
  const scheduledMs = new Schedule(`scrape:lab:${server.address}`, intervalMs).nextAfter(Date.UTC(2025, 0, 1));
  const clock = new ManualClock(scheduledMs + 5000);
  const lines: string[] = [];
  const opened = openSource(server.address, clock, lines);
  const reading = new Reading(opened, clock);
  closing.push(
    () => reading.end(),
    () => opened.client.close(),
    () => server.close(),
  );
  return { server, clock, lines, reading, ...opened };
}

const contractServer: ExporterServer = startExporter(exposition(dcgmText("h", 300)));
exerciseLiveSource("ExporterSource", (clock) => {
  const { source, client, settled } = openSource(contractServer.address, clock);
  return Promise.resolve({ source, intervalMs, settled, close: () => Promise.resolve(client.close()) });
});

describe("a scrape", () => {
  test("gives the records of all devices at its scheduled time, under a key of target and time", async () => {
    const { reading, source, server } = openAll();
    const { batch, timeMs, idempotencyKey, reading: outcome } = await reading.next();
    expect(batch.gpus.map(({ uuid }) => uuid)).toEqual(["GPU-h-0", "GPU-h-1"]);
    expect([...batch.timesMs]).toEqual([timeMs, timeMs]);
    expect(source.sourceId).toBe(`scrape:lab:${server.address}`);
    expect(idempotencyKey).toBe(`${source.sourceId}:${timeMs}`);
    expect(new Schedule(source.sourceId, intervalMs).nextAfter(timeMs - 1)).toBe(timeMs);
    expect(outcome).toEqual({ timeMs, intervalMs, outcome: "read", count: 1 });
  });

  test("that fails gives no records, and a reading with its reason", async () => {
    const { reading, server } = openAll(() => new Response("", { status: 500 }));
    const { batch, timeMs, reading: outcome } = await reading.next();
    expect(batch.recordCount).toBe(0);
    const message = expect.stringMatching(/^HTTP 500, after \d/) as string;
    expect(outcome).toEqual({ timeMs, intervalMs, outcome: "missed", reason: "http_status", message, count: 1 });
    server.answer(exposition(dcgmText("h", 301)));
    expect((await reading.next()).reading?.outcome).toBe("read");
  });

  test("of a text that has no sample is missed, and its lines are not quarantined", async () => {
    const { reading } = openAll(() => new Response("It works!\nReally.\n"));
    const { batch, reading: outcome } = await reading.next();
    expect(batch.rejected).toEqual([]);
    expect(outcome).toMatchObject({ outcome: "missed", reason: "not_exposition" });
    expect(outcome?.message).toContain('none of its 2 lines is a sample; the first is "It works!"');
  });
});

test("an answer at which the reader fails is missed, and the next one is read without anything left of it", async () => {
  const { reading, server, lines } = openAll(exposition(`${dcgmText("h", 300)}BROKEN\n`));
  const { batch, reading: outcome } = await reading.next();
  expect(batch.recordCount).toBe(0);
  expect(outcome).toMatchObject({ outcome: "missed", reason: "not_exposition" });
  expect(outcome?.message).toBe("its answer cannot be read: a reader fails at this line");
  server.answer(exposition(dcgmText("other", 301)));
  expect((await reading.next()).batch.gpus.map(({ uuid }) => uuid)).toEqual(["GPU-other-0", "GPU-other-1"]);
  expect(lines[0]).toEndWith("cannot be read");
});

test("a target whose last scrape is later than the machine's clock says when the next one is due", async () => {
  const { source, clock, lines, client, settled } = openAll();
  const reading = new Reading({ source, client, settled }, clock, clock.nowMs() + 10 * intervalMs);
  await clock.advance(0);
  expect(lines).toEqual([expect.stringContaining("later than this machine's clock; the next one is due at 2025-")]);
  await reading.end();
});

describe("a scrape that is under way when its reader stops", () => {
  /** Begins a scrape whose answer waits, and aborts the read. */
  async function stopDuringScrape() {
    const answer = Promise.withResolvers<void>();
    const text = exposition(dcgmText("h", 300));
    const opened = openAll(async (request) => {
      await answer.promise;
      return text(request);
    });
    await opened.clock.advance(intervalMs);
    await until(() => opened.client.underWay === 1, { everyMs: 1 });
    return { ...opened, answer, ended: opened.reading.end() };
  }

  test("is finished, and yielded", async () => {
    const { answer, ended, reading } = await stopDuringScrape();
    answer.resolve();
    await ended;
    expect(reading.batches.map(({ batch }) => batch.recordCount)).toEqual([2]);
  });

  test("is missed if it takes too long", async () => {
    const { answer, ended, reading, clock } = await stopDuringScrape();
    await clock.advance(2000);
    await ended;
    answer.resolve();
    expect(reading.batches.map((batch) => batch.reading)).toMatchObject([{ outcome: "missed", reason: "stopped" }]);
  });
});

describe("scheduled scrapes that were not made are one reading", () => {
  test("that no streamer made, before the first scrape of a new owner", async () => {
    const { source, clock, client, settled } = openAll();
    const lastMs = new Schedule(source.sourceId, intervalMs).nextAfter(clock.nowMs()) - 8 * intervalMs;
    const successor = new Reading({ source, client, settled }, clock, lastMs);
    await until(() => successor.batches.length > 0);
    await successor.end();
    const [{ timeMs, batch, reading }] = successor.batches as [LiveBatch];
    expect(batch.recordCount).toBe(0);
    expect(timeMs).toBe(lastMs + 7 * intervalMs);
    expect(reading).toMatchObject({ outcome: "missed", reason: "no_streamer", count: 7 });
    expect(reading?.message).toBe("no streamer read the target for 105 s");
  });

  test("a new owner that takes over within a second makes the scrape that is due", async () => {
    const { source, clock, client, settled, reading } = openAll();
    await reading.end();
    const dueMs = new Schedule(source.sourceId, intervalMs).nextAfter(clock.nowMs());
    await clock.advance(dueMs + 900 - clock.nowMs());
    const successor = new Reading({ source, client, settled }, clock, dueMs - intervalMs);
    await until(() => successor.batches.length > 0);
    await successor.end();
    expect(successor.batches[0]).toMatchObject({ timeMs: dueMs, reading: { outcome: "read" } });
  });

  test("that were due while the process was frozen", async () => {
    const { reading, clock, client } = openAll();
    const { timeMs } = await reading.next();
    await clock.freeze(3 * intervalMs + 2000);
    await until(() => reading.batches.length === 2, { everyMs: 1 });
    expect(client.underWay).toBe(0);
    const [, gap] = reading.batches;
    expect(gap).toMatchObject({ timeMs: timeMs + 3 * intervalMs, reading: { reason: "no_streamer", count: 3 } });
    expect(gap?.reading?.message).toBe("the streamer was held up for 45 s");
    expect((await reading.next()).reading).toMatchObject({ outcome: "read", timeMs: timeMs + 4 * intervalMs });
  });

  test("the first one is counted, too, if the process is frozen when it is due", async () => {
    const { reading, clock } = openAll();
    await clock.freeze(2 * intervalMs);
    await until(() => reading.batches.length === 1, { everyMs: 1 });
    expect(reading.batches[0]?.reading).toMatchObject({ outcome: "missed", reason: "no_streamer", count: 2 });
  });

  test("while nothing could be published", async () => {
    const { source, clock, reading } = openAll();
    await reading.end();
    const batches = source.read(-Infinity, new AbortController().signal)[Symbol.asyncIterator]();
    const first = batches.next();
    await clock.advance(intervalMs);
    await first;
    await clock.advance(4 * intervalMs);
    const missed = (await batches.next()).value as LiveBatch;
    await batches.return?.();
    expect(missed.reading).toMatchObject({ outcome: "missed", reason: "memory_full", count: 4 });
    expect(missed.reading?.message).toMatch(/^for 6[0-9] s, the queue took no scrapes, and the memory .* was full$/);
  });
});

describe("the health of a target", () => {
  test("says what the last scrape read, and why it failed; each change is logged once", async () => {
    const { reading, source, server, lines } = openAll();
    expect(source.state()).toMatchObject({ state: "waiting", scrapes: 0, gaps: 0, devices: 0 });
    const { timeMs } = await reading.next();
    await reading.next();
    expect(source.state()).toMatchObject({
      ...{ target: server.address, cluster_id: "lab", labels: [{ name: "rack", value: "r1" }] },
      ...{ state: "up", dialect: "dcgm", devices: 2, samples: 6, scrapes: 2, gaps: 0, streamer: "streamer-1" },
      message: expect.stringMatching(/^2 devices, 6 samples in \d+ ms$/) as string,
    });
    server.answer(() => new Response("", { status: 503 }));
    for (let scrape = 0; scrape < 3; scrape += 1) await reading.next();
    expect(source.state()).toMatchObject({
      ...{ state: "down", scrapes: 2, gaps: 3, consecutive_failures: 3, devices: 2 },
      message: expect.stringContaining("HTTP 503") as string,
      last_error: { reason: "http_status", at: new Date(timeMs + 4 * intervalMs).toISOString().replace(".000", "") },
    });
    server.answer(exposition(dcgmText("h", 300)));
    await reading.next();
    await reading.next();
    expect(source.state()).toMatchObject({ state: "up", consecutive_failures: 0, gaps: 3 });
    expect(lines).toEqual([
      expect.stringMatching(/ is missed: HTTP 503, after/),
      expect.stringMatching(/ answers again, after 3 missed scrapes$/),
    ]);
    await reading.end();
    expect(source.state()).toMatchObject({ state: "waiting", scrapes: 4 });
  });

  test("keeps what the exporter itself does wrong while the streamer is held up, and says that apart from it", async () => {
    const { reading, source, clock } = openAll(() => Response.json({ up: 1 }));
    await reading.next();
    const before = source.state();
    await clock.freeze(3 * intervalMs + 2000);
    await until(() => reading.batches.length === 2, { everyMs: 1 });
    const { message, last_error, consecutive_failures } = before;
    expect(last_error?.reason).toBe("not_exposition");
    const warning = expect.stringMatching(
      /^3 scrapes were missed until \S+ by the pipeline, not by the target: the streamer was held up for 45 s$/,
    ) as string;
    expect(source.state()).toMatchObject({
      state: "down",
      message,
      last_error,
      consecutive_failures,
      warning,
      gaps: 4,
    });
    expect(source.missedByPipeline).toEqual(warning);
  });

  test("stays up while the pipeline misses scrapes for a reason of its own", async () => {
    const { reading, source, clock } = openAll();
    const { timeMs } = await reading.next();
    await clock.freeze(3 * intervalMs + 2000);
    await until(() => reading.batches.length === 2, { everyMs: 1 });
    source.dropped({ timeMs, reason: "memory_full", message: "the memory was full", count: 1 });
    const { state, message, warning, last_error, gap_reasons } = source.state();
    expect([state, last_error]).toEqual(["up", undefined]);
    expect([message, warning]).toEqual([
      expect.stringMatching(/^2 devices, 6 samples in \d+ ms$/),
      expect.stringMatching(/^1 scrape was missed until \S+ by the pipeline, not by the target: the memory was full$/),
    ]);
    expect(gap_reasons).toEqual([
      { reason: "no_streamer", count: 3 },
      { reason: "memory_full", count: 1 },
    ]);
  });

  test("another reason is logged, the same one is not", async () => {
    const { reading, server, lines } = openAll(() => new Response("", { status: 500 }));
    await reading.next();
    await reading.next();
    server.answer(() => new Response("<html>"));
    await reading.next();
    expect(lines).toEqual([expect.stringContaining("HTTP 500"), expect.stringContaining("web page")]);
  });

  test("says that the exporter repeats old readings of busy devices, and when it no longer does", async () => {
    const { reading, source, server, lines } = openAll();
    for (let scrape = 0; scrape < 4; scrape += 1) await reading.next();
    expect(source.state().frozen).toBe(0);
    const fifth = await reading.next();
    expect(fifth.reading).toMatchObject({ outcome: "read", frozen: 2 });
    expect(fifth.reading?.frozenDevices).toEqual(fifth.batch.gpus.map(({ uuid }) => uuid));
    expect(source.state()).toMatchObject({ state: "up", frozen: 2 });
    expect(source.state().message).toContain("the readings of 2 of 2 devices do not change although they are busy");
    await reading.next();
    server.answer(exposition(dcgmText("h", 301)));
    await reading.next();
    expect(source.state().frozen).toBe(0);
    expect(reading.batches.at(-1)?.reading).not.toHaveProperty("frozenDevices");
    expect(lines.map((line) => line.replace(/^\S+ /, ""))).toEqual([
      expect.stringContaining("do not change"),
      "no longer repeats its readings",
    ]);
  });

  test("an idle device may keep its values", async () => {
    const idle = dcgmText("h", 300).replaceAll("} 97", "} 0");
    const { reading, source } = openAll(exposition(idle));
    for (let scrape = 0; scrape < 6; scrape += 1) await reading.next();
    expect(source.state().frozen).toBe(0);
  });
});

test("the schedules of 1,250 targets are spread over the interval, and the same in every process", () => {
  const buckets = new Array<number>(15).fill(0);
  for (let index = 0; index < 1250; index += 1) {
    const id = `scrape:lab:gpu${index}:9400`;
    const nextMs = new Schedule(id, intervalMs).nextAfter(0);
    expect(new Schedule(id, intervalMs).nextAfter(1e12) % intervalMs).toBe(nextMs % intervalMs);
    buckets[Math.floor((nextMs % intervalMs) / 1000)]! += 1;
  }
  expect(Math.max(...buckets)).toBeLessThan(125);
  expect(Math.min(...buckets)).toBeGreaterThan(50);
});
