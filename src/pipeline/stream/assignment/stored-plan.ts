import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { EtcdRefused } from "../../../domain/errors.ts";

const position = Type.Object({ offset: Type.Number(), line: Type.Number() });

/** How far a source is cut: `cutting` up to `cut_to`, `cut` when all ranges are known, `done` when all are read. */
const storedPlan = Type.Object({
  state: Type.Union([Type.Literal("cutting"), Type.Literal("cut"), Type.Literal("done")]),
  cut_to: position,
});
export type StoredPlan = Static<typeof storedPlan>;

/** A range and how far it is published: `at`; null: the source never ends. */
const storedRange = Type.Object({
  from: position,
  to_offset: Type.Union([Type.Number(), Type.Null()]),
  at: position,
});
export type StoredRange = Static<typeof storedRange>;

/** @throws EtcdRefused when it is none */
export function readPlan(bytes: Buffer): StoredPlan {
  return read(storedPlan, bytes, "plan");
}

/** @throws EtcdRefused when it is none */
export function readRange(bytes: Buffer): StoredRange {
  return read(storedRange, bytes, "range");
}

/** True when nothing of the range is left to publish. */
export function isRead({ at, to_offset: toOffset }: StoredRange): boolean {
  return toOffset !== null && at.offset >= toOffset;
}

function read<Schema extends TSchema>(schema: Schema, bytes: Buffer, what: string): Static<Schema> {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (Value.Check(schema, value)) return value;
  } catch {
    // the same fault: no such text
  }
  throw new EtcdRefused(
    `a source's ${what} in etcd cannot be read: ${bytes.toString("utf8").slice(0, 200)}; delete its keys under /checkpoints/ to read the source again`,
  );
}
