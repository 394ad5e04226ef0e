/** Cuts to `maxLength` UTF-16 units, never through the middle of a character: half a surrogate pair is no text. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 1);
  const isHighSurrogate = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, isHighSurrogate ? maxLength - 1 : maxLength);
}

/** A text as messages quote it: in quotes, on one line, not longer than a line. */
export function quoted(text: string): string {
  const shown = cutText(text, 60);
  return JSON.stringify(shown === text ? text : `${shown}...`);
}
