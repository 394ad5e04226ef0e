import type { RecordBatch } from "../../../domain/batch.ts";
import { turnOfOthers } from "../../../kit/turn.ts";
import { type PushedBody, type ReadBody, type ReadPush, UnusablePush } from "../push.ts";
import { type BodyLimits, contentOf } from "./body-bytes.ts";
import { jsonRecords } from "./json-records.ts";
import { ndjsonRecords } from "./ndjson-records.ts";
import type { PushedRecord } from "./pushed-record.ts";
import { RecordReader } from "./record-reader.ts";
import { csvBatches, type CsvPushOptions } from "./spooled-csv.ts";

export type PushReading = BodyLimits & Pick<CsvPushOptions, "clock" | "openFolder" | "batchRows" | "batchMaxRows">;

/** Makes the reader of bodies. Batches end after `batchRows` records, whatever the chunks in which a body comes. */
export function pushReader(reading: PushReading): ReadPush {
  return (body, bytes, signal) => {
    const content = contentOf({ bytes, packing: body.packing }, reading);
    return body.format === "csv"
      ? readTable(content, { ...reading, clusterId: body.clusterId, hostname: body.hostname }, signal)
      : readRecords(body, body.format === "json" ? jsonRecords(content) : ndjsonRecords(content), {
          ...reading,
          signal,
        });
  };
}

function readTable(
  content: AsyncIterable<Uint8Array>,
  options: Omit<CsvPushOptions, "onUnread">,
  signal: AbortSignal,
): ReadBody {
  const unread = new Set<string>();
  return { unread, batches: csvBatches(content, { ...options, onUnread: (name) => void unread.add(name) }, signal) };
}

function readRecords(
  body: PushedBody,
  records: AsyncIterable<readonly PushedRecord[]>,
  { batchRows, signal }: Pick<PushReading, "batchRows"> & { readonly signal: AbortSignal },
): ReadBody {
  const reader = new RecordReader(body);
  async function* batches(): AsyncGenerator<RecordBatch, void, undefined> {
    let problem: unknown;
    try {
      for await (const some of records) {
        signal.throwIfAborted();
        await turnOfOthers();
        for (const record of some) {
          reader.add(record);
          if (reader.rows >= batchRows) yield reader.takeBatch();
        }
      }
    } catch (error) {
      problem = error;
    }
    // what was read before the body became unusable is used; a push that is refused is sent again, with the same batches
    const isUsed = problem === undefined || problem instanceof UnusablePush;
    if (reader.rows > 0 && isUsed && !signal.aborted) yield reader.takeBatch();
    if (problem !== undefined) throw problem as Error;
  }
  return { unread: reader.unread, batches: batches() };
}
