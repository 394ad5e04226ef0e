import type { RejectReason } from "./batch.ts";
import { quoted } from "./cut-text.ts";

/** What is wrong with a row or one of its cells. */
export interface FieldError {
  readonly reason: RejectReason;
  /** The column as the input has it; empty where the whole row is at fault. */
  readonly field: string;
  readonly value: string;
  /** One sentence: what is wrong and what would be right. */
  readonly message: string;
}

/** The longest name that is taken. */
export const fieldMaxLength = 256;
const gpuIdMax = 1_000_000;
const wholeNumber = /^\d{1,7}$/;
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

/** The index of a GPU on its host: a whole number, surrounding blanks ignored. */
export function parseGpuId(field: string, text: string): number | FieldError {
  const value = text.trim();
  if (wholeNumber.test(value) && Number(value) <= gpuIdMax) return Number(value);
  const message = `The gpu_id ${quoted(value)} is not a whole number from 0 to ${gpuIdMax}.`;
  return { reason: "invalid_gpu_id", field, value, message };
}

/** A required text that is not there. */
export function missingField(field: string): FieldError {
  return {
    reason: "missing_field",
    field,
    value: "",
    message: `The field ${quoted(field)} is empty; every row needs it.`,
  };
}

/** A name that is no name: too long, or with control characters. */
export function invalidText(field: string, text: string): FieldError | undefined {
  if (text.length > fieldMaxLength) {
    const message = `The field ${quoted(field)} has ${text.length} characters; at most ${fieldMaxLength} are allowed.`;
    return { reason: "invalid_field", field, value: text, message };
  }
  if (!controlCharacter.test(text)) return undefined;
  const message = `The field ${quoted(field)} contains a control character: ${quoted(text)}; names have none.`;
  return { reason: "invalid_field", field, value: text, message };
}
