import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { EtcdRefused } from "../../../domain/errors.ts";
import { type Position, positionSchema, type Range } from "../../../domain/range.ts";

/** How far a source is divided into ranges. The state is `cutting` while ranges are planned only up to `cut_to`, `cut` when
 *  all ranges are planned, and `done` when all ranges are read. */
const storedPlan = Type.Object({
  state: Type.Union([Type.Literal("cutting"), Type.Literal("cut"), Type.Literal("done")]),
  cut_to: positionSchema,
  /** The CLUSTER_ID for which the source is read; absent in plans of older versions. */
  cluster_id: Type.Optional(Type.String()),
});
export type StoredPlan = Static<typeof storedPlan>;

/** A range of the plan, as stored in etcd. */
const storedRange = Type.Object({
  from: positionSchema,
  to_offset: Type.Number(),
  /** Absent in ranges that an older version of this program stored. */
  to_line: Type.Optional(Type.Number()),
  at: positionSchema,
});

const storedLatest = Type.Object({ latest_at: Type.String({ description: "RFC 3339" }) });

/** A range of the plan, and the position `at` up to which the range is published. */
export interface PlannedRange extends Range {
  readonly at: Position;
}

/** @throws EtcdRefused when the value is not a plan */
export function readPlan(bytes: Buffer): StoredPlan {
  return read(storedPlan, bytes, "plan");
}

/** @throws EtcdRefused when the value is not a range */
export function readRange(bytes: Buffer): PlannedRange {
  const { from, to_offset: offset, to_line: line = 0, at } = read(storedRange, bytes, "range");
  return { from, to: { offset, line }, at };
}

/** A range as text, for etcd. */
export function rangeText({ from, to, at }: PlannedRange): string {
  const stored: Static<typeof storedRange> = { from, to_offset: to.offset, to_line: to.line, at };
  return JSON.stringify(stored);
}

/** True when no part of the range is left to publish. */
export function isRead({ at, to }: PlannedRange): boolean {
  return at.offset >= to.offset;
}

/** The time of the last batch of a live source, milliseconds since the epoch.
 *  @throws EtcdRefused when the value is not a JSON object whose `latest_at` is a time */
export function readLatest(bytes: Buffer): number {
  const timeMs = Date.parse(read(storedLatest, bytes, "latest batch").latest_at);
  if (Number.isNaN(timeMs)) throw unreadable(bytes, "latest batch");
  return timeMs;
}

/** The time of a live source's last batch as text, for etcd. */
export function latestText(timeMs: number): string {
  const stored: Static<typeof storedLatest> = { latest_at: new Date(timeMs).toISOString() };
  return JSON.stringify(stored);
}

function read<Schema extends TSchema>(schema: Schema, bytes: Buffer, name: string): Static<Schema> {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    if (Value.Check(schema, value)) return value;
  } catch {
    // a text that is not JSON is refused below, like JSON of another shape
  }
  throw unreadable(bytes, name);
}

function unreadable(bytes: Buffer, name: string): EtcdRefused {
  return new EtcdRefused(
    `a source's ${name} in etcd cannot be read: ${bytes.toString("utf8").slice(0, 200)}; delete the source's checkpoints in etcd to read the source again`,
  );
}
