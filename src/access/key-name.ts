import { isVisible } from "../domain/visible-text.ts";

/** The longest name of a key, in UTF-16 units. */
export const keyNameMaxLength = 256;

/** What is wrong with the name of a key; undefined if it is usable. In lists and in the audit log, people tell keys apart by their
 *  names. */
export function keyNameProblem(name: string): string | undefined {
  if (name === "" || name.length > keyNameMaxLength) return `it has not 1 to ${keyNameMaxLength} characters`;
  if (isVisible(name)) return undefined;
  return "it has characters that are not seen, or that look like others";
}
