import { type GpuBounds, isHeldWithin, isPlaceWithin } from "../domain/gpu-bounds.ts";
import type { FaultFacts } from "./fault.ts";

/** What a matcher compares. */
export const silenceFields = ["name", "rule", "severity", "cluster", "host", "uuid", "namespace", "job"] as const;
export type SilenceField = (typeof silenceFields)[number];

/** A condition on a fault. */
export interface SilenceMatcher {
  readonly field: SilenceField;
  /** `*` is any text, also none. */
  readonly pattern: string;
  /** False: the text must not match. */
  readonly isEqual: boolean;
}

/** A silence to create. */
export interface SilenceDraft {
  /** All of them must fit; at least one. */
  readonly matchers: readonly SilenceMatcher[];
  /** The author's bounds: only faults within are silenced; undefined: all. */
  readonly within: GpuBounds | undefined;
  readonly author: string;
  readonly reason: string;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
}

/** A period in which no notifications are sent for matching faults. */
export interface Silence extends SilenceDraft {
  readonly id: number;
  readonly createdAtMs: number;
  /** Null unless it was ended before its time. */
  readonly endedAtMs: number | null;
  readonly endedBy: string | null;
}

/** True if a silence has started and has not ended. */
export function isSilenceInForce({ startsAtMs, endsAtMs, endedAtMs }: Silence, atMs: number): boolean {
  return startsAtMs <= atMs && atMs < Math.min(endsAtMs, endedAtMs ?? Infinity);
}

/** The silences that silence a fault at an instant. */
export function silencesOf(fault: FaultFacts, silences: readonly Silence[], atMs: number): readonly Silence[] {
  return silences.filter((silence) => isSilenceInForce(silence, atMs) && silencesFault(silence, fault));
}

function silencesFault({ matchers, within }: Silence, fault: FaultFacts): boolean {
  if (within !== undefined && !isFaultWithin(within, fault)) return false;
  return matchers.every(({ field, pattern, isEqual }) => {
    return textsOf(fault, field).some((text) => matchesPattern(text, pattern)) === isEqual;
  });
}

/** True if a fault is within bounds, as far as its beginning decides that. */
function isFaultWithin(bounds: GpuBounds, { subject, holders }: FaultFacts): boolean {
  return isPlaceWithin(bounds, subject) && isHeldWithin(bounds, holders);
}

function textsOf({ name, rule, severity, subject, holders }: FaultFacts, field: SilenceField): readonly string[] {
  const { clusterId, hostname, uuid, job } = subject;
  const texts = { name, rule, severity, cluster: clusterId, host: hostname, uuid, job };
  return field === "namespace" ? holders.map(({ namespace }) => namespace) : [texts[field]];
}

/** True if a text is the pattern, in which `*` is any text. It takes at most as many steps as the product of the lengths. */
export function matchesPattern(text: string, pattern: string): boolean {
  let [at, inPattern, star, afterStar] = [0, 0, -1, 0];
  while (at < text.length) {
    if (pattern[inPattern] === "*") {
      star = inPattern;
      afterStar = at;
      inPattern += 1;
    } else if (pattern[inPattern] === text[at]) {
      at += 1;
      inPattern += 1;
    } else if (star >= 0) {
      // the star takes one character more
      afterStar += 1;
      at = afterStar;
      inPattern = star + 1;
    } else return false;
  }
  while (pattern[inPattern] === "*") inPattern += 1;
  return inPattern === pattern.length;
}
