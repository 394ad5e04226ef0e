import { uncompress } from "snappyjs";
import type { RecordBatch } from "../../../domain/batch.ts";
import { messageOf } from "../../../kit/message-of.ts";
import { type BodyLimits, bytesOf } from "../push/body-bytes.ts";
import { type ReadBody, type ReadPush, UnusablePush } from "../push.ts";
import type { WriteBody } from "../remote-write.ts";
import { batchesOfParts } from "./batches-of-parts.ts";
import { partsOfRequest1 } from "./request-1.ts";
import { partsOfRequest2 } from "./request-2.ts";
import type { KnownExporters } from "./series-batches.ts";
import { lengthOfBlock, lengthOfElements } from "./snappy-lengths.ts";

/** Makes the reader of requests of remote write. */
export function writeReader(exporters: KnownExporters, limits: BodyLimits): ReadPush<WriteBody> {
  return (body, bytes): ReadBody => {
    const content = bytesOf(bytes, limits).then((packed) => unpacked(packed, limits.maxBytes));
    return { unread: new Set(), batches: batchesOf(body, content, exporters) };
  };
}

async function* batchesOf(
  body: WriteBody,
  bytes: Promise<Uint8Array>,
  exporters: KnownExporters,
): AsyncGenerator<RecordBatch, void, undefined> {
  const content = await bytes;
  const parts = body.protocol === "1.0" ? partsOfRequest1(content) : partsOfRequest2(content);
  yield* batchesOfParts(parts, exporters, body);
}

/** The content of a block of snappy, which begins with the content's length.
 *  Source: https://github.com/google/snappy/blob/main/format_description.txt */
function unpacked(packed: Uint8Array, maxBytes: number): Uint8Array {
  const length = lengthOfBlock(packed);
  if (length > maxBytes) {
    throw new UnusablePush("too_large", `The body has ${length} bytes of unpacked snappy, more than ${maxBytes}`);
  }
  const given = lengthOfElements(packed);
  if (given !== length) {
    throw new UnusablePush(
      "malformed",
      `The body is no block of snappy: its length is ${length}, and it has ${given} bytes`,
    );
  }
  try {
    return uncompress(packed, maxBytes);
  } catch (error) {
    throw new UnusablePush("malformed", `The body cannot be unpacked as a block of snappy: ${messageOf(error)}`);
  }
}
