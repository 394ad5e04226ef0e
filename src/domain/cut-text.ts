/** Cuts to `maxLength` UTF-16 units, never through the middle of a character: half a surrogate pair is not a character. */
export function cutText(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const last = text.charCodeAt(maxLength - 1);
  const isHighSurrogate = last >= 0xd800 && last <= 0xdbff;
  return text.slice(0, isHighSurrogate ? maxLength - 1 : maxLength);
}

/** The text for people: cut at `maxLength`, with three dots if something is missing. */
export function shortened(text: string, maxLength: number): string {
  const cut = cutText(text, maxLength);
  return cut === text ? text : `${cut}...`;
}

/** A text as messages quote it: in quotes, on one line, not longer than a line. */
export function quoted(text: string): string {
  return JSON.stringify(shortened(text, 60));
}
