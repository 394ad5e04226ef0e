import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { positionSchema } from "../../../domain/range.ts";
import { defined } from "../../../kit/defined.ts";
import type { DeadLetter, MessageEnvelope } from "../queue.ts";
import { idTimeMs } from "./queue-keys.ts";

/** A message without its payload, as stored in etcd: readable with etcdctl. */
const storedEnvelope = Type.Object({
  id: Type.String(),
  topic: Type.String(),
  idempotency_key: Type.String(),
  trace_id: Type.String(),
  traceparent: Type.Optional(Type.String({ description: "of a recorded trace; earlier versions ignore it" })),
  schema_version: Type.String(),
  created_at: Type.String({ description: "RFC 3339" }),
  count: Type.Number({ description: "records in the payload" }),
  encoding: Type.String(),
  source: Type.Object({ id: Type.String(), from: positionSchema, to: positionSchema }),
});

const storedDeadLetter = Type.Composite([
  storedEnvelope,
  Type.Object({ attempts: Type.Number(), last_error: Type.String(), dead_at: Type.String() }),
]);

const checkEnvelope = TypeCompiler.Compile(storedEnvelope);
const checkDeadLetter = TypeCompiler.Compile(storedDeadLetter);

/** A substitute for an envelope that cannot be read. The message is handled like every unusable message: it is delivered,
 *  refused, and finally dead-lettered. */
export function unreadableEnvelope(id: string): MessageEnvelope {
  const nowhere = { offset: 0, line: 0 };
  return {
    id,
    topic: "",
    idempotencyKey: id,
    traceId: "",
    count: 0,
    createdAtMs: idTimeMs(id),
    schemaVersion: "unreadable envelope",
    encoding: "unreadable envelope",
    source: { sourceId: "", from: nowhere, to: nowhere },
  };
}

/** The value of a key under `messages/`. */
export function envelopeText(envelope: MessageEnvelope): string {
  return JSON.stringify(toStored(envelope));
}

/** @returns undefined if the bytes are not an envelope */
export function readEnvelope(bytes: Buffer): MessageEnvelope | undefined {
  const stored = parsed(bytes);
  return checkEnvelope.Check(stored) && isTime(stored.created_at) ? fromStored(stored) : undefined;
}

/** The value of a key under `dead/`. */
export function deadLetterText({ envelope, attempts, lastError, deadAtMs }: DeadLetter): string {
  const letter: Static<typeof storedDeadLetter> = {
    ...toStored(envelope),
    attempts,
    last_error: lastError,
    dead_at: new Date(deadAtMs).toISOString(),
  };
  return JSON.stringify(letter);
}

/** Reads a dead letter. If the bytes cannot be read, `lastError` says so: the dead letter can still be listed and deleted. */
export function readDeadLetter(id: string, bytes: Buffer): DeadLetter {
  const stored = parsed(bytes);
  if (!checkDeadLetter.Check(stored) || !isTime(stored.created_at) || !isTime(stored.dead_at)) {
    const lastError = `this dead letter cannot be read: ${bytes.toString("utf8").slice(0, 200)}`;
    return { envelope: unreadableEnvelope(id), attempts: 0, lastError, deadAtMs: idTimeMs(id) };
  }
  const { attempts, last_error: lastError, dead_at: deadAt } = stored;
  return { envelope: fromStored(stored), attempts, lastError, deadAtMs: Date.parse(deadAt) };
}

function toStored(envelope: MessageEnvelope): Static<typeof storedEnvelope> {
  const { id, topic, count, encoding, source } = envelope;
  return {
    id,
    topic,
    idempotency_key: envelope.idempotencyKey,
    trace_id: envelope.traceId,
    ...defined({ traceparent: envelope.traceparent }),
    schema_version: envelope.schemaVersion,
    created_at: new Date(envelope.createdAtMs).toISOString(),
    count,
    encoding,
    source: { id: source.sourceId, from: source.from, to: source.to },
  };
}

function fromStored(stored: Static<typeof storedEnvelope>): MessageEnvelope {
  const { id, topic, count, encoding, source } = stored;
  return {
    id,
    topic,
    idempotencyKey: stored.idempotency_key,
    traceId: stored.trace_id,
    ...defined({ traceparent: stored.traceparent }),
    schemaVersion: stored.schema_version,
    createdAtMs: Date.parse(stored.created_at),
    count,
    encoding,
    source: { sourceId: source.id, from: source.from, to: source.to },
  };
}

function isTime(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
