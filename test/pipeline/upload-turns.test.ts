import { afterEach, beforeEach, expect, test } from "bun:test";
import pino from "pino";
import { uploadSourceId } from "../../src/domain/upload.ts";
import { systemClock as clock } from "../../src/kit/clock.ts";
import { TokenBucket } from "../../src/kit/token-bucket.ts";
import { silentListener as listener } from "../../src/pipeline/observe/pipeline-listener.ts";
import { decodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { MemoryQueue } from "../../src/pipeline/queue/memory/memory-queue.ts";
import { openUploadSource } from "../../src/pipeline/source/upload/upload-source.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { SqlUploadStore } from "../../src/pipeline/store/sql/sql-upload-store.ts";
import { LocalAssignment } from "../../src/pipeline/stream/assignment/local-assignment.ts";
import { BackPressure } from "../../src/pipeline/stream/back-pressure.ts";
import { BatchPublisher } from "../../src/pipeline/stream/batch-publisher.ts";
import { StreamRetries } from "../../src/pipeline/stream/stream-retries.ts";
import { UploadStream } from "../../src/pipeline/stream/uploads/upload-stream.ts";
import { until } from "../../dev/until.ts";
import { openMemoryStore } from "../support/open-store.ts";
import { wideTable } from "../uploads/uploaded-file.ts";

// The order in which a process reads uploads, and how they end.

const limits = { maxUnfinished: 100, maxUnfinishedOfClient: 100, maxStoredBytes: 1e9 };
const rangeBytes = 64 * 1024;
const maxBytes = 8 * 1024 * 1024;

let store: OpenStore;
let uploads: SqlUploadStore;
let queue: MemoryQueue;
let stop: AbortController;
let running: Promise<void>;
beforeEach(async () => {
  store = await openMemoryStore();
  uploads = new SqlUploadStore(store.client);
  stop = new AbortController();
  running = Promise.resolve();
  queue = new MemoryQueue({ topic: "t", clock, capacityMessages: 1000, leaseSeconds: 30, maxAttempts: 1 });
});
afterEach(async () => {
  stop.abort();
  await running;
  await queue.close();
  await store.close();
});

/** Keeps a table, as a gateway does. */
async function keep(client: string, bytes: Uint8Array<ArrayBuffer>): Promise<{ id: string; sourceId: string }> {
  const names = { fileName: `${client}.csv`, clusterId: "lab", hostname: undefined, sender: client };
  const { id } = await uploads.begin({ ...names, client, expectedBytes: undefined }, limits);
  for (let number = 0; number * uploads.partBytes < bytes.length; number += 1) {
    const part = bytes.slice(number * uploads.partBytes, (number + 1) * uploads.partBytes);
    await uploads.add({ id, number, bytes: part }, limits);
  }
  await uploads.finish(id, id);
  return { id, sourceId: uploadSourceId(id) };
}

const textBytes = (text: string): Uint8Array<ArrayBuffer> => Buffer.from(text);

/** Starts to read uploads, as a collector without etcd does. */
function read(): void {
  const log = pino({ level: "silent" });
  const retries = new StreamRetries({ clock, listener, log });
  const bucket = new TokenBucket({ tokensPerSecond: 0, burstTokens: 1, clock });
  const backPressure = new BackPressure({ lowMessages: 500, highMessages: 900, clock });
  const publishing = { queue, bucket, backPressure, messageMaxBytes: Infinity, clock, listener, retries };
  const stream = new UploadStream({
    ...{ work: uploads, publisher: new BatchPublisher(publishing), retries, clock, log },
    progressOf: (sourceId) => store.store.progressOf(sourceId),
    stats: () => queue.stats(),
    open: async (upload, readPart) => {
      const { fileName: name, clusterId, hostname, contentBytes, receivedBytes: sizeBytes, partBytes } = upload;
      const source = await openUploadSource({
        ...{ name, sourceId: uploadSourceId(upload.contentId), clusterId, hostname, clock, contentBytes },
        ...{ sizeBytes, partBytes, readPart, maxBytes, batchRows: 500, batchMaxRows: 500 },
      });
      return { upload, source, assignment: new LocalAssignment(store.store, rangeBytes) };
    },
  });
  running = stream.run(stop.signal).then(() => stream.close());
}

/** Stores messages, as a collector does. @returns the sources of those that were stored */
async function storeMessages(count = Infinity): Promise<string[]> {
  const sources: string[] = [];
  while (sources.length < count) {
    const { signal } = stop;
    const deliveries = await queue.claim({ consumerId: "test", maxMessages: 1, signal });
    for (const { envelope, ...encoded } of deliveries) {
      await store.store.ingest({
        ...envelope,
        messageId: envelope.id,
        batch: decodeBatch({ ...envelope, ...encoded }),
      });
      sources.push(envelope.source.sourceId);
    }
    await queue.acknowledge(deliveries);
    if (deliveries.length === 0) return sources;
  }
  return sources;
}

const ended = (id: string) =>
  until(async () => {
    const upload = await uploads.find(id);
    return upload?.finishedAtMs === undefined ? undefined : upload;
  });

test("clients take turns: a small table is published after one range of a larger one that came first", async () => {
  const large = [
    await keep("a", textBytes(wideTable(10_000, "a-1"))),
    await keep("a", textBytes(wideTable(100, "a-2"))),
  ];
  const small = await keep("b", textBytes(wideTable(100, "b-1")));
  read();
  const storing = storeMessages();
  expect(await ended(small.id)).toMatchObject({
    state: "done",
    progress: { rows: 100, rejected: { invalid_timestamp: 1 } },
  });
  for (const { id } of large) expect((await ended(id)).state).toBe("done");
  stop.abort();
  const sources = await storing;
  const first = sources.indexOf(small.sourceId);
  expect(sources.slice(0, first)).toEqual(Array.from({ length: first }, () => large[0]?.sourceId as string));
  expect(sources.length).toBeGreaterThan(first + 10);
  // one client's uploads are read in their order
  expect(sources.indexOf(large[1]?.sourceId ?? "")).toBeGreaterThan(sources.lastIndexOf(large[0]?.sourceId ?? ""));
});

test("what is no table, is damaged or becomes too large fails with a sentence, and the next one is read", async () => {
  const packed = Bun.gzipSync(Buffer.from(wideTable(1000)));
  const cases: readonly (readonly [Uint8Array<ArrayBuffer>, RegExp])[] = [
    [textBytes("hello\n"), /a\.csv .*/],
    [packed.slice(0, packed.length / 2), /a\.csv is packed with gzip and is damaged or incomplete/],
    [Bun.gzipSync(new Uint8Array(maxBytes + 1)), /more than 8388608 bytes, unpacked \(UPLOAD_MAX_MIB\)/],
    [
      textBytes("timestamp,index,uuid,utilization.gpu [%]\n2026/01/05 12:00:00.000, 0, GPU-1, 85 %\n"),
      /the parameter hostname/,
    ],
  ];
  const kept = [];
  for (const [bytes] of cases) kept.push(await keep("a", bytes));
  const good = await keep("a", packed);
  read();
  const storing = storeMessages();
  for (const [index, [, message]] of cases.entries()) {
    const upload = await ended(kept[index]?.id ?? "");
    expect([upload.state, message.test(upload.message), upload.message]).toEqual(["failed", true, upload.message]);
  }
  expect(await ended(good.id)).toMatchObject({ state: "done", progress: { rows: 1000, records: 999 } });
  expect(await store.client.query("select number from upload_parts")).toEqual([]);
  stop.abort();
  await storing;
});

test("no more of an upload is read after it was cancelled", async () => {
  const { id } = await keep("a", textBytes(wideTable(40_000)));
  read();
  await storeMessages(1);
  await uploads.end(id, { state: "cancelled", message: "" });
  const [whole, storing] = [40_000 / 500, storeMessages()];
  await until(async () => (await queue.stats()).readyMessages === 0);
  await Bun.sleep(1500);
  stop.abort();
  expect((await storing).length).toBeLessThan(whole - 10);
  expect((await uploads.find(id))?.state).toBe("cancelled");
});
