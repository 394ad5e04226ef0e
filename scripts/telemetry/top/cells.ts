/** What stands for a value that is absent. */
export const absent = "-";

const asciiText = /^[ -~]*$/;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** The columns of a terminal that a text takes; a wide character takes two. */
export const widthOf = (text: string): number => (asciiText.test(text) ? text.length : Bun.stringWidth(text));

/** A text of exactly this width: padded, or cut with … at its end. */
export function fit(text: string, width: number, align: "left" | "right" = "left"): string {
  const kept = widthOf(text) <= width ? text : cut(text, width);
  const padding = " ".repeat(Math.max(0, width - widthOf(kept)));
  return align === "left" ? `${kept}${padding}` : `${padding}${kept}`;
}

/** The parts in lines of at most this width. A part that is longer is cut. */
export function packed(parts: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const joined = `${lines.at(-1) ?? ""}  ${part}`;
    if (lines.length > 0 && widthOf(joined) <= width) lines[lines.length - 1] = joined;
    else lines.push(widthOf(part) <= width ? part : cut(part, width));
  }
  return lines;
}

/** A bar of this width for 0 to 100 percent. */
export function bar(percent: number | undefined, width: number): string {
  if (percent === undefined) return absent.padEnd(width);
  const eighths = Math.round((Math.min(100, Math.max(0, percent)) / 100) * width * 8);
  const last = eighths % 8 === 0 ? "" : String.fromCodePoint(0x2590 - (eighths % 8));
  return `${"█".repeat(Math.floor(eighths / 8))}${last}`.padEnd(width, "·");
}

/** Readings of 0 to 100 percent, a character each. */
export function sparkline(percents: readonly number[]): string {
  return percents
    .map((percent) => String.fromCodePoint(0x2581 + Math.round((Math.min(100, Math.max(0, percent)) / 100) * 7)))
    .join("");
}

/** A rounded value with its unit; `-` if it is absent. */
export function amount(value: number | undefined, unit: string, digits = 0): string {
  return value === undefined ? absent : `${value.toFixed(digits)}${unit}`;
}

/** Watts of a fleet in W, kW or MW. */
export function power(watts: number | undefined): string {
  if (watts === undefined) return absent;
  if (watts < 10_000) return `${watts.toFixed(0)} W`;
  return watts < 10_000_000 ? `${(watts / 1000).toFixed(1)} kW` : `${(watts / 1_000_000).toFixed(2)} MW`;
}

/** A time span in its largest unit, such as 4s, 12m, 30h or 90d. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

function cut(text: string, width: number): string {
  if (width <= 0) return "";
  if (asciiText.test(text)) return `${text.slice(0, width - 1)}…`;
  let [kept, used] = ["", 0];
  for (const { segment } of graphemes.segment(text)) {
    used += widthOf(segment);
    if (used > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}
