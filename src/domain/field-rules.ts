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
/** pandas writes a column of integers with a missing value as `0.0`. */
const wholeNumber = /^\d{1,7}(?:\.0+)?$/;
// oxlint-disable-next-line no-control-regex -- the expression finds control characters
const controlCharacter = /[\u0000-\u001f\u007f-\u009f]/;
/** Characters that are not seen: they reverse the text around them, or make two identities look the same, as spaces other than U+0020
 *  do. */
const invisibleCharacter = /[\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u;

/** Reads the index of a GPU on its host: a whole number. Surrounding white space is ignored. */
export function parseGpuId(field: string, text: string): number | FieldError {
  const value = text.trim();
  if (wholeNumber.test(value) && Number(value) <= gpuIdMax) return Number(value);
  const message = `The gpu_id ${quoted(value)} is not a whole number from 0 to ${gpuIdMax} in at most 7 digits.`;
  return { reason: "invalid_gpu_id", field, value, message };
}

/** Texts that stand for an identity that is not known, in lower case, with single spaces between words and nothing but letters and
 *  digits at both ends: what nvidia-smi, DCGM, databases, spreadsheets and programs write. */
const noIdentities: ReadonlySet<string> = new Set([
  ...["", "n/a", "na", "n.a", "n/s", "nan", "nan(ind", "nan(snan", "1.#ind", "1.#qnan", "nat", "nil", "none", "null"],
  ...["undefined", "unknown", "unknown error", "unset", "not set", "empty", "no value", "no data", "error", "err"],
  ...["unavailable", "not available", "not applicable", "not found", "not supported", "unsupported"],
  ...["insufficient permissions", "gpu is lost", "gpu requires reset", "gpu", "mig"],
]);
/** The errors that spreadsheets show in a cell. */
const spreadsheetError = /^#(?:n\/a|null!|ref!|value!|name\?|num!|div\/0!)/i;
/** The prefix and the parent's UUID of an identity of NVIDIA's: `GPU-`, `MIG-`, `MIG-GPU-`. */
const uuidPrefix = /^(?:urn:uuid:|(?:mig-)?gpu-|mig-)/;
/** UUIDs that devices without one report: all digits are 0, or all are f. The indexes of an instance may follow. */
const noUuid = /^(?:0[0-]{7,}|f{8}-?f{4}-?f{4}-?f{4}-?f{12})(?:\/\d+)*$/;
const zero = /^(?:0x)?[0-]*0(?:\.0*)?$/;
/** The beginning of nearly all UUIDs, so that these need no further check. */
const usualUuid = /^GPU-(?!0{8}|f{8})[0-9a-f]{8}-/i;
/** Numbers by which the driver says that a process or a GPU has no instance: -1 as a signed and an unsigned integer, and the blanks
 *  of DCGM (see value.ts). */
const noInstanceIds: ReadonlySet<string> = new Set([
  ...["-1", "4294967295", "2147483632", "2147483633", "2147483634", "2147483635", "2147483647"],
]);

/** The error of a uuid or a host name that is empty, or stands for one that is not known: all GPUs without an identity would
 *  otherwise become one GPU. Undefined if the text is an identity. */
export function missingIdentity(field: string, text: string, kind: "uuid" | "hostname"): FieldError | undefined {
  const value = text.trim();
  if (value === "") return missingField(field);
  if (kind === "uuid" ? !isNoUuid(value) : !meansNoIdentity(value) && value !== "0.0.0.0") return undefined;
  const what = kind === "uuid" ? "the UUID of its GPU" : "the name of its host";
  const message = `The field ${quoted(field)} is ${quoted(value)}, which identifies nothing; every row needs ${what}.`;
  return { reason: "missing_field", field, value, message };
}

/** True for a text that says that there is no MIG instance. */
export function isNoInstanceId(text: string): boolean {
  const value = text.trim();
  return meansNoIdentity(value) || noInstanceIds.has(value.replace(/\.0+$/, ""));
}

/** True for texts such as `N/A`, `[N/A`, `unknown)`, `(null)` and `#N/A`. A text with anything else is a name: `none-1`. */
function meansNoIdentity(text: string): boolean {
  if (/[0-9]$/.test(text)) return false; // most names of hosts
  return text.length <= longestNoIdentity && (noIdentities.has(plainWords(text)) || spreadsheetError.test(text));
}

function isNoUuid(text: string): boolean {
  if (usualUuid.test(text) || text.length > longestUuid) return false;
  const plain = plainWords(text);
  const withoutPrefix = plain.replace(uuidPrefix, "");
  return meansNoIdentity(text) || noIdentities.has(withoutPrefix) || noUuid.test(withoutPrefix) || zero.test(plain);
}

const plainText = /^[ -~]*$/;
const longestNoIdentity = 40;
/** `MIG-GPU-`, a UUID in brackets, and the indexes of an instance have fewer characters. */
const longestUuid = 80;

/** The text in lower case, without what is neither a letter nor a digit at its ends, and with single spaces for other separators of
 *  words. */
function plainWords(text: string): string {
  const words = text.toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");
  return words.includes(" ") || words.includes("_") ? words.replace(/[\s_]+/g, " ") : words;
}

/** The error of a uuid or a host name with characters that are not seen, such as marks of the direction of writing; undefined if it has
 *  none. */
export function hiddenInIdentity(field: string, text: string): FieldError | undefined {
  if (plainText.test(text)) return undefined;
  if (!invisibleCharacter.test(text)) return undefined;
  const message = `The field ${quoted(field)} contains a character that is not seen: ${quoted(text)}; a uuid or a host name has none.`;
  return { reason: "invalid_field", field, value: text, message };
}

/** True if a uuid or a host name has control characters or characters that are not seen: no source can report it. */
export function hasHidden(text: string): boolean {
  return controlCharacter.test(text) || invisibleCharacter.test(text);
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
