import { formatTimestamp } from "../domain/timestamp.ts";

/** When the rules were last evaluated. */
export interface LastEvaluation {
  /** By the store's clock, milliseconds since the epoch; undefined: never. */
  readonly atMs: number | undefined;
  /** False if that is so long ago that no process evaluates. */
  readonly isCurrent: boolean;
}

/** A leader says at least every 5 s that it evaluates, and is replaced within the time of a lease, 10 s by default. */
export const evaluationLateSeconds = 60;

/** When that was, in words. */
export function evaluatedText({ atMs }: LastEvaluation): string {
  return atMs === undefined
    ? "no process has evaluated faults yet"
    : `faults were last evaluated ${formatTimestamp(atMs)}`;
}

/** Why a list of faults may lack some, for operators; undefined if it is complete. */
export function missingEvaluation({ atMs, isCurrent }: LastEvaluation): string | undefined {
  if (isCurrent) return undefined;
  const what =
    atMs === undefined
      ? "No process has ever evaluated faults, so none is found"
      : `No process has evaluated faults since ${formatTimestamp(atMs)}, so what started later is not found`;
  return `${what}. Start one with ROLE=coordinator and DATABASE_URL, or without etcd one with streamer and collector; if there is one, /health of it says under "faults" what is wrong`;
}
