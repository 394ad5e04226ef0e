import { rawMaxLength } from "../../../domain/batch.ts";
import { cutText } from "../../../domain/cut-text.ts";

/** The maximum number of bytes in a character in UTF-8. */
const utf8MaxBytes = 4;

const lossyText = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of a row or line as the text of its rejection, cut to 2,000 characters. Bad UTF-8 and NUL become U+FFFD. */
export function rawText(bytes: Uint8Array): string {
  return cutText(shown(lossyText.decode(bytes.subarray(0, rawMaxLength * utf8MaxBytes))), rawMaxLength);
}

/** Replaces NUL, which PostgreSQL cannot store in a text. */
export function shown(text: string): string {
  return text.replaceAll("\0", "\u{FFFD}");
}
