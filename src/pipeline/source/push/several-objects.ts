/** True if a text begins with a JSON object that another one follows, as lines do of which the line ends are missing. */
export function hasSeveralObjects(text: string): boolean {
  const end = endOfObject(text.trimStart());
  return end !== undefined && end.trimStart().startsWith("{");
}

/** What follows the object with which a text begins; undefined: it begins with none, or the object does not end. */
function endOfObject(text: string): string | undefined {
  if (!text.startsWith("{")) return undefined;
  let depth = 0;
  let isWithinText = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    // a quote after a backslash ends no text
    if (character === "\\") at += 1;
    else if (character === '"') isWithinText = !isWithinText;
    else if (character === "{" && !isWithinText) depth += 1;
    else if (character === "}" && !isWithinText) depth -= 1;
    if (depth === 0) return text.slice(at + 1);
  }
  return undefined;
}
