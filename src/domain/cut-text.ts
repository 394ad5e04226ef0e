import { visibleLines } from "./visible-text.ts";

/** Cuts a text to `maxLength` UTF-16 units, or to one less if the cut would split a surrogate pair. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 1);
  const isHighSurrogate = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, isHighSurrogate ? maxLength - 1 : maxLength);
}

/** Cuts a text for display. Three dots at the end show that it was cut. */
export function shortened(text: string, maxLength: number): string {
  const cut = cutText(text, maxLength);
  return cut === text ? text : `${cut}...`;
}

/** Quotes a text for a message, on one line, with characters that deceive escaped. A text of more than 60 characters is cut and
 *  ends with three dots. */
export function quoted(text: string): string {
  return visibleLines(JSON.stringify(shortened(text, 60)));
}
