import type { FieldError } from "../../../domain/field-rules.ts";

/** A record of a body, or the error of a text that cannot be read as a record. */
export type PushedRecord = {
  /** From 1; 0 if the body has no lines. */
  readonly line: number;
  /** From 0. */
  readonly index: number;
} & ({ readonly value: unknown } | { readonly error: FieldError; readonly raw: string });

/** A record may have so many bytes. */
export const recordMaxBytes = 1024 * 1024;

/** The error of a record that is not JSON. */
export function malformedRecord(message: string): FieldError {
  return { reason: "malformed_line", field: "", value: "", message };
}
