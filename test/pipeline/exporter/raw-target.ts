import pino from "pino";
import type { RecordBatch } from "../../../src/domain/batch.ts";
import { AnswerMemory } from "../../../src/pipeline/source/exporter/answer-memory.ts";
import { ExporterSource } from "../../../src/pipeline/source/exporter/exporter-source.ts";
import { ScrapeClient } from "../../../src/pipeline/source/exporter/scrape-client.ts";
import { readTarget, type Target } from "../../../src/pipeline/source/exporter/target.ts";
import { ExpositionReader } from "../../../src/pipeline/source/exposition/exposition-reader.ts";
import { SharedTexts } from "../../../src/pipeline/source/labels/shared-texts.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { startRawServer } from "./raw-server.ts";
import { logSerializers } from "../../../src/terminal/log.ts";

const security = { tls: () => ({}), insecure: false, authorization: () => Promise.resolve(undefined) };

/** A target that sends the body after these headers and closes the connection, as HTTP/1.0 does: only its text says where it ends. */
export async function openRawTarget(first: string, headers = "") {
  let body = first;
  const server = await startRawServer((socket) => socket.end(`HTTP/1.1 200 OK\r\n${headers}\r\n${body}`));
  const client = new ScrapeClient({ timeoutMs: 2000, maxBytes: 1e6, memory: new AnswerMemory(1e8), security });
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  const lines: string[] = [];
  const log = pino(
    { base: null, serializers: logSerializers },
    { write: (line: string) => lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const target = readTarget({ address: server.address }, "lab") as Target;
  const texts = new SharedTexts();
  const openReader = ({ name, host }: Target) => new ExpositionReader({ target: name, host, labels: {} }, texts);
  const source = new ExporterSource(target, {
    client,
    openReader,
    clock,
    intervalMs: 15_000,
    streamer: "s",
    log,
    onMissed: () => undefined,
  });
  const halt = new AbortController();
  const batches = source.read(-Infinity, halt.signal)[Symbol.asyncIterator]();
  const close = async (): Promise<void> => {
    halt.abort();
    await batches.return?.();
    client.close();
    await server.close();
  };
  const next = async (text = body): Promise<RecordBatch> => {
    body = text;
    const read = batches.next();
    await clock.advance(15_000);
    return ((await read).value as { batch: RecordBatch }).batch;
  };
  return { next, source, lines, close };
}
