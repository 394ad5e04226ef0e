import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { RecordBatch } from "../../domain/batch.ts";
import { UndecodablePayload } from "../../domain/errors.ts";
import { fromPayloadV1, toPayloadV1 } from "../../domain/schema/columns-v1.ts";
import { migrateV1Beta1 } from "../../domain/schema/migrate-v1beta1.ts";
import { payloadV1 } from "../../domain/schema/payload-v1.ts";
import { payloadV1Beta1 } from "../../domain/schema/payload-v1beta1.ts";

/** A payload and what is needed to read it. */
export interface EncodedBatch {
  readonly payload: Uint8Array;
  readonly encoding: string;
  readonly schemaVersion: string;
}

const jsonZstd = "json+zstd";
/** Decompressed; a batch of 50,000 rows has about 5 MiB. Bounds what a damaged or hostile payload can take. */
const decodedMaxBytes = 64 * 1024 * 1024;

const checkV1 = TypeCompiler.Compile(payloadV1);
const checkV1Beta1 = TypeCompiler.Compile(payloadV1Beta1);

/** Batch -> payload of the newest schema. JSON compresses to about 4 bytes a sample once it is in columns, and zstd's
 *  level 1 is the quickest (see bench/batch-codec.ts). */
export function encodeBatch(batch: RecordBatch): EncodedBatch {
  const payload = Bun.zstdCompressSync(JSON.stringify(toPayloadV1(batch)), { level: 1 });
  return { payload, encoding: jsonZstd, schemaVersion: "v1" };
}

/** Payload of any known schema -> batch; older ones are migrated.
 *  @throws UndecodablePayload */
export function decodePayload({ payload, encoding, schemaVersion }: EncodedBatch): RecordBatch {
  const content = fromBytes(payload, encoding);
  if (schemaVersion === "v1") {
    if (!checkV1.Check(content))
      throw new UndecodablePayload(`payload is not of schema v1: ${firstFault(checkV1, content)}`);
    try {
      return fromPayloadV1(content);
    } catch (cause) {
      throw new UndecodablePayload(`payload of schema v1 contradicts itself: ${(cause as Error).message}`, { cause });
    }
  }
  if (schemaVersion === "v1beta1") {
    if (checkV1Beta1.Check(content)) return migrateV1Beta1(content);
    throw new UndecodablePayload(`payload is not of schema v1beta1: ${firstFault(checkV1Beta1, content)}`);
  }
  throw new UndecodablePayload(`schema version ${JSON.stringify(schemaVersion)} is not known; known are v1, v1beta1`);
}

function fromBytes(payload: Uint8Array, encoding: string): unknown {
  if (encoding !== jsonZstd && encoding !== "json") {
    throw new UndecodablePayload(`encoding ${JSON.stringify(encoding)} is not known; known are ${jsonZstd}, json`);
  }
  try {
    const bytes = encoding === "json" ? payload : decompress(payload);
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new UndecodablePayload(`payload of ${payload.length} bytes cannot be read: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function decompress(payload: Uint8Array): Uint8Array {
  const size = frameContentSize(payload);
  if (size === undefined || size > decodedMaxBytes) {
    throw new RangeError(`it decompresses to ${size ?? "an unknown number of"} bytes, allowed are ${decodedMaxBytes}`);
  }
  return Bun.zstdDecompressSync(payload);
}

/** The size that a zstd frame declares for its content, undefined where it declares none or is no frame.
 *  Source: https://datatracker.ietf.org/doc/html/rfc8878#section-3.1.1.1 */
function frameContentSize(frame: Uint8Array): number | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 18 || view.getUint32(0, true) !== 0xfd2f_b528) return undefined;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] as number;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryIdBytes;
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? view.getUint8(at) : undefined;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

function firstFault(
  check: { Errors(value: unknown): Iterable<{ path: string; message: string }> },
  value: unknown,
): string {
  for (const { path, message } of check.Errors(value)) return `${path || "the whole"}: ${message}`;
  return "unknown";
}
