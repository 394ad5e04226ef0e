/** A line that a reader is told to type. */
export interface DocCommand {
  readonly text: string;
  /** In its file, from 1. */
  readonly line: number;
}

/** Where a reader is told to stop what was started last. */
export const interrupt = "# Ctrl-C";

/** The lines of all ```bash blocks, without blank lines and comments, but for the one that is an order. */
export function commandsOf(markdown: string): DocCommand[] {
  const commands: DocCommand[] = [];
  let inside = false;
  for (const [index, text] of markdown.split("\n").entries()) {
    if (text.startsWith("```")) inside = text === "```bash";
    else if (inside && text.trim() !== "" && (text === interrupt || !text.startsWith("#"))) {
      commands.push({ text, line: index + 1 });
    }
  }
  return commands;
}

/** Where relative links lead, without their anchors. */
export function linksOf(markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
    .map(([, target]) => target as string)
    .filter((target) => !/^[a-z]+:/.test(target));
}
