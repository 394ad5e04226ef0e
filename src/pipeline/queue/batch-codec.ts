import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { RecordBatch } from "../../domain/batch.ts";
import { NeedsNewerVersion, UndecodablePayload } from "../../domain/errors.ts";
import { messageOf } from "../../kit/message-of.ts";
import { once } from "../../kit/once.ts";
import { fromPayloadV1, toPayloadV1 } from "../../domain/schema/columns-v1.ts";
import { isNewerSchema } from "../../domain/schema/is-newer-schema.ts";
import { migrateV1Beta1 } from "../../domain/schema/migrate-v1beta1.ts";
import { payloadV1 } from "../../domain/schema/payload-v1.ts";
import { payloadV1Beta1 } from "../../domain/schema/payload-v1beta1.ts";
import { validateBatch } from "../../domain/schema/validate-batch.ts";

/** A payload, with the names of its encoding and schema. */
export interface EncodedBatch {
  readonly payload: Uint8Array;
  readonly encoding: string;
  readonly schemaVersion: string;
}

const jsonZstd = "json+zstd";
/** The number of the newest schema of payloads. Another encoding, too, needs a schema with a higher number. */
const newestSchema = 1;
/** The greatest decompressed size that a payload may declare. It limits the memory that a damaged payload can take. A batch
 *  of 50,000 rows has about 5 MiB. */
const decodedMaxBytes = 64 * 1024 * 1024;

// compiled for the first payload that is decoded: a streamer decodes none
const checkV1 = once(() => TypeCompiler.Compile(payloadV1));
const checkV1Beta1 = once(() => TypeCompiler.Compile(payloadV1Beta1));

/** Encodes a batch as a payload of the newest schema. JSON in columns compresses to about 4 bytes per sample; zstd's level 1
 *  is the quickest of its regular levels. */
export function encodeBatch(batch: RecordBatch): EncodedBatch {
  const payload = Bun.zstdCompressSync(JSON.stringify(toPayloadV1(batch)), { level: 1 });
  return { payload, encoding: jsonZstd, schemaVersion: `v${newestSchema}` };
}

/** Decodes a payload of any supported schema and validates its records.
 *  @returns a batch that the store can hold; records that it cannot hold are in `rejected`
 *  @throws NeedsNewerVersion if the schema is newer than this program; UndecodablePayload if the encoding, the schema or the content
 *    is unusable */
export function decodeBatch(encoded: EncodedBatch): RecordBatch {
  return validateBatch(decodePayload(encoded));
}

/** Decodes a payload of any supported schema, without validating its records; older schemas are migrated.
 *  @throws NeedsNewerVersion, UndecodablePayload */
export function decodePayload({ payload, encoding, schemaVersion }: EncodedBatch): RecordBatch {
  // before the content is read: a newer schema may have another encoding
  if (isNewerSchema(schemaVersion, newestSchema)) {
    throw new NeedsNewerVersion(
      `schema version ${schemaVersion} is newer than this program, which knows v${newestSchema}`,
    );
  }
  const content = fromBytes(payload, encoding);
  switch (schemaVersion) {
    case "v1":
      if (checkV1().Check(content)) return fromPayloadV1(content);
      throw new UndecodablePayload(`payload is not of schema v1: ${firstError(checkV1(), content)}`);
    case "v1beta1":
      if (checkV1Beta1().Check(content)) return migrateV1Beta1(content);
      throw new UndecodablePayload(`payload is not of schema v1beta1: ${firstError(checkV1Beta1(), content)}`);
    default:
      throw new UndecodablePayload(
        `schema version ${JSON.stringify(schemaVersion)} is not supported; supported are v1 and v1beta1`,
      );
  }
}

function fromBytes(payload: Uint8Array, encoding: string): unknown {
  if (encoding !== jsonZstd && encoding !== "json") {
    throw new UndecodablePayload(
      `encoding ${JSON.stringify(encoding)} is not supported; supported are ${jsonZstd} and json`,
    );
  }
  if (encoding === jsonZstd) checkDecodedSize(payload);
  try {
    const bytes = encoding === "json" ? payload : Bun.zstdDecompressSync(payload);
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new UndecodablePayload(`payload of ${payload.length} bytes cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Checks the size that a payload declares, before any part of the payload is decompressed.
 *  @throws UndecodablePayload if the payload declares no size, or a size over the limit */
function checkDecodedSize(payload: Uint8Array): void {
  const size = frameContentSize(payload);
  if (size !== undefined && size <= decodedMaxBytes) return;
  throw new UndecodablePayload(
    `payload of ${payload.length} bytes decompresses to ${size ?? "an unknown number of"} bytes; at most ` +
      `${decodedMaxBytes} are decoded`,
  );
}

/** The size that a zstd frame declares for its content; undefined if it declares none, is not a frame, or is shorter than
 *  the longest header.
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

function firstError(
  check: { Errors(value: unknown): Iterable<{ path: string; message: string }> },
  value: unknown,
): string {
  for (const { path, message } of check.Errors(value)) return `${path || "the payload"}: ${message}`;
  return "unknown";
}
