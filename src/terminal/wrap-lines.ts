/** The narrowest that a text becomes: on a terminal that is narrower still, the terminal breaks its lines. */
const minTextWidth = 16;

/** Breaks the lines that are wider than a terminal, between words. The rest of a line stands under the text that it continues: in a list,
 *  under the column of explanations.
 *  @param width of the terminal, in characters; undefined in a pipe, and 0 on a terminal that does not tell it: lines stay as they are */
export function wrapLines(text: string, width: number | undefined): string {
  if (width === undefined || width < minTextWidth) return text;
  return text
    .split("\n")
    .flatMap((line) => wrapLine(line, width))
    .join("\n");
}

function wrapLine(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const indent = " ".repeat(indentOf(line, width));
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const before = rest.lastIndexOf(" ", width);
    // a word that is wider than the terminal, such as a URL, has a line of its own
    const end = before > indent.length ? before : rest.indexOf(" ", width);
    if (end === -1) break;
    lines.push(rest.slice(0, end).trimEnd());
    rest = indent + rest.slice(end).trimStart();
  }
  return [...lines, rest];
}

/** Where the last column of a line begins: after two blanks that follow a text, or else after the blanks at its beginning. */
function indentOf(line: string, width: number): number {
  const column = /^ *\S.*? {2,}(?=\S)/.exec(line)?.[0].length ?? 0;
  return column > 0 && column <= width - minTextWidth ? column : line.length - line.trimStart().length;
}
