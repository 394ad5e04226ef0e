import type { RejectReason } from "./batch.ts";
import { quoted } from "./cut-text.ts";

/** The error of a row, of one of its cells, or of a field of a `v1beta1` sample. */
export interface FieldError {
  readonly reason: RejectReason;
  /** The name of the column or field in the input; empty if the whole row is wrong. */
  readonly field: string;
  readonly value: string;
  /** One sentence that explains the error. */
  readonly message: string;
}

/** The longest name that is accepted, in UTF-16 units. */
export const fieldMaxLength = 256;
const gpuIdMax = 1_000_000;
const wholeNumber = /^\d{1,7}$/;
// eslint-disable-next-line no-control-regex -- the expression finds control characters
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;

/** Reads the index of a GPU on its host: a whole number. Surrounding white space is ignored. */
export function parseGpuId(field: string, text: string): number | FieldError {
  const value = text.trim();
  if (wholeNumber.test(value) && Number(value) <= gpuIdMax) return Number(value);
  const message = `The gpu_id ${quoted(value)} is not a whole number from 0 to ${gpuIdMax} in at most 7 digits.`;
  return { reason: "invalid_gpu_id", field, value, message };
}

/** Texts that stand for an identity that is not known, without brackets and in lower case. */
const noIdentities: ReadonlySet<string> = new Set([
  ...["", "-", "--", "?", "n/a", "na", "n.a.", "nan", "nil", "none", "null", "undefined", "empty", "error"],
  ...["unknown", "unknown error", "not supported", "not available", "not found", "unavailable", "unset"],
]);
const zeroUuid = /^(?:(?:gpu-|mig-)?0{8}-?0{4}-?0{4}-?0{4}-?0{12}|0+)$/i;

/** The error of a uuid or a host name that is empty, or stands for one that is not known: all GPUs without an identity would
 *  otherwise become one GPU. Undefined if the text is an identity. */
export function missingIdentity(field: string, text: string, kind: "uuid" | "hostname"): FieldError | undefined {
  const value = text.trim();
  if (value === "") return missingField(field);
  const plain = isBracketed(value) ? value.replace(/^[[(<{"']+\s*|\s*[\])>}"']+$/g, "") : value;
  if (!noIdentities.has(plain.toLowerCase()) && !(kind === "uuid" && isZeros(plain))) return undefined;
  const what = kind === "uuid" ? "the UUID of its GPU" : "the name of its host";
  const message = `The field ${quoted(field)} is ${quoted(value)}, which identifies nothing; every row needs ${what}.`;
  return { reason: "missing_field", field, value, message };
}

function isBracketed(text: string): boolean {
  return "[(<{\"'".includes(text.charAt(0));
}

function isZeros(text: string): boolean {
  return text.endsWith("0") && zeroUuid.test(text);
}

/** The error of a required text that is empty. */
export function missingField(field: string): FieldError {
  return {
    reason: "missing_field",
    field,
    value: "",
    message: `The field ${quoted(field)} is empty; every row needs it.`,
  };
}

/** The error of a name that is too long or contains control characters; undefined if the name is valid. */
export function invalidText(field: string, text: string): FieldError | undefined {
  if (text.length > fieldMaxLength) {
    const message = `The field ${quoted(field)} has ${text.length} characters; at most ${fieldMaxLength} are allowed.`;
    return { reason: "invalid_field", field, value: text, message };
  }
  if (!controlCharacter.test(text)) return undefined;
  const message = `The field ${quoted(field)} contains a control character: ${quoted(text)}; names have none.`;
  return { reason: "invalid_field", field, value: text, message };
}
