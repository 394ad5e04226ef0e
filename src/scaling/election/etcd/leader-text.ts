import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { formatTimestamp, parseTimestamp } from "../../../domain/timestamp.ts";
import type { Leader } from "../leader-election.ts";

const leaderSchema = Type.Object({ instance_id: Type.String(), since: Type.String() });

/** The value of the leader's key. */
export function leaderText({ instanceId, sinceMs }: Omit<Leader, "term">): string {
  return JSON.stringify({ instance_id: instanceId, since: formatTimestamp(sinceMs) });
}

/** @param term the create revision of the leader's key
 *  @returns undefined if the value is not one of `leaderText` */
export function readLeader(value: Buffer, term: string): Leader | undefined {
  try {
    const read: unknown = JSON.parse(value.toString());
    if (!Value.Check(leaderSchema, read)) return undefined;
    const since = parseTimestamp(read.since);
    return "ms" in since ? { instanceId: read.instance_id, term, sinceMs: since.ms } : undefined;
  } catch {
    return undefined;
  }
}
