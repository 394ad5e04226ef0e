import { uncompress } from "snappyjs";
import type { RecordBatch } from "../../../domain/batch.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { turnOfOthers } from "../../../kit/turn.ts";
import { type BodyLimits, bytesOf } from "../push/body-bytes.ts";
import { type ReadBody, type ReadPush, UnusablePush } from "../push.ts";
import type { WriteBody } from "../remote-write.ts";
import { partsOfRequest1 } from "./request-1.ts";
import { partsOfRequest2 } from "./request-2.ts";
import { type KnownExporters, SeriesBatches } from "./series-batches.ts";

/** A batch has at most about so many samples, as other pushes have rows. Prometheus sends 2,000 at a time, vmagent 10,000: a request
 *  is usually one message. */
const batchSamples = 20_000;
/** After so many series, others get their turn. */
const seriesAtATime = 1000;
const varintMaxBytes = 5;

/** Makes the reader of requests of remote write. */
export function writeReader(exporters: KnownExporters, limits: BodyLimits): ReadPush<WriteBody> {
  return (body): ReadBody => ({ unread: new Set(), batches: batchesOf(body, exporters, limits) });
}

async function* batchesOf(
  body: WriteBody,
  exporters: KnownExporters,
  limits: BodyLimits,
): AsyncGenerator<RecordBatch, void, undefined> {
  const content = unpacked(await bytesOf(body.bytes, limits), limits.maxBytes);
  const batches = new SeriesBatches(exporters, body);
  let [problem, count]: [unknown, number] = [undefined, 0];
  try {
    for (const part of body.protocol === "1.0" ? partsOfRequest1(content) : partsOfRequest2(content)) {
      if ("metadata" in part) exporters.learn(part.metadata);
      else batches.add(part.series);
      if ((count += 1) % seriesAtATime === 0) await turnOfOthers();
      if (batches.size >= batchSamples) yield batches.takeBatch();
    }
  } catch (error) {
    problem = error;
  }
  // what was read before the body became unusable is used
  if (batches.size > 0) yield batches.takeBatch();
  if (problem !== undefined) throw problem as Error;
}

/** The content of a block of snappy, which begins with the content's length.
 *  Source: https://github.com/google/snappy/blob/main/format_description.txt */
function unpacked(packed: Uint8Array, maxBytes: number): Uint8Array {
  const length = lengthIn(packed);
  if (length > maxBytes) {
    throw new UnusablePush("too_large", `The body has ${length} bytes of unpacked snappy, more than ${maxBytes}`);
  }
  try {
    return uncompress(packed, maxBytes);
  } catch (error) {
    throw new UnusablePush("malformed", `The body cannot be unpacked as a block of snappy: ${messageOf(error)}`);
  }
}

function lengthIn(packed: Uint8Array): number {
  let length = 0;
  for (let at = 0; at < varintMaxBytes; at += 1) {
    const byte = packed[at] ?? 0;
    length += (byte & 127) * 128 ** at;
    if (byte < 128) break;
  }
  return length;
}
