import type { RecordBatch } from "../../../domain/batch.ts";
import { turnOfOthers } from "../../../kit/turn.ts";
import type { PushedBody, ReadBody, ReadPush } from "../push.ts";
import { type BodyLimits, contentOf } from "./body-bytes.ts";
import { jsonRecords } from "./json-records.ts";
import { ndjsonRecords } from "./ndjson-records.ts";
import type { PushedRecord } from "./pushed-record.ts";
import { RecordReader } from "./record-reader.ts";
import { csvBatches, type CsvPushOptions } from "./spooled-csv.ts";

export type PushReading = BodyLimits & Pick<CsvPushOptions, "openFolder" | "batchRows" | "batchMaxRows">;

/** Makes the reader of bodies. Batches end after `batchRows` records, whatever the chunks in which a body comes. */
export function pushReader(reading: PushReading): ReadPush {
  return (body, signal) => {
    const content = contentOf(body, reading);
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
    // what was read before the body became unusable is used
    if (reader.rows > 0 && !signal.aborted) yield reader.takeBatch();
    if (problem !== undefined) throw problem as Error;
  }
  return { unread: reader.unread, batches: batches() };
}
