import { createHash, randomBytes } from "node:crypto";

/** The text of a key: its id, which may be shown and logged, and a secret of at least 256 bits: 43 characters in base64url, 64 in
 *  hex. */
const keyPattern = /^gtp_([a-z0-9]{1,32})_[A-Za-z0-9_-]{43,128}$/;
/** The longest text that `keyPattern` accepts. */
const keyMaxLength = "gtp_".length + 32 + 1 + 128;

/** The form of a key's id. */
export const keyIdPattern = /^[a-z0-9]{1,32}$/;

/** A new key. Only the caller gets `text`; what is stored is its hash. */
export interface NewKeyText {
  readonly id: string;
  readonly text: string;
  readonly sha256: string;
}

/** Makes a key with a random id of 40 bits and a random secret of 256 bits. */
export function makeKeyText(): NewKeyText {
  const id = randomBytes(5).toString("hex");
  const text = `gtp_${id}_${randomBytes(32).toString("base64url")}`;
  return { id, text, sha256: hashOf(text).toString("hex") };
}

/** @returns undefined if the text does not have the form of a key */
export function keyIdOf(text: string): string | undefined {
  return text.length > keyMaxLength ? undefined : keyPattern.exec(text)?.[1];
}

/** The SHA-256 of a key's whole text. A secret of 256 random bits needs no slow hash: trying them all is impossible. */
export function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
