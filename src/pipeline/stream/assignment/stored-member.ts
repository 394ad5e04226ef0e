import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { TargetSet } from "./target-set.ts";

const storedMember = Type.Object({ targets: Type.Number(), digest: Type.String() });

/** The value of a member's key: how many targets it knows, and their digest. */
export function memberText({ size: targets, digest }: TargetSet): string {
  return JSON.stringify({ targets, digest });
}

/** @returns the digest; undefined if there is none: an older version of this program writes an empty value */
export function readMember(value: Buffer): string | undefined {
  try {
    const read: unknown = JSON.parse(value.toString());
    return Value.Check(storedMember, read) ? read.digest : undefined;
  } catch {
    return undefined;
  }
}
