/** A command in a document. */
export interface DocCommand {
  readonly text: string;
  /** The number of its line in the file; the first line is 1. */
  readonly line: number;
}

/** The line that asks the reader to stop the pipeline. */
export const interrupt = "# Ctrl-C";

/** The lines of all ```bash blocks, without blank lines and comments, but with `interrupt`. */
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

/** The targets of relative links, without their anchors. */
export function linksOf(markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
    .map(([, target]) => target as string)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** The scripts that a document names in its code, as `make NAME`, `bun run NAME` or `./scripts/FILE`. */
export function scriptsIn(markdown: string): DocCommand[] {
  let inside = false;
  return markdown.split("\n").flatMap((text, index) => {
    if (text.startsWith("```")) inside = !inside;
    const codes = inside ? [text] : [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);
    const names = codes.flatMap((code) => [
      ...[...code.matchAll(/(?:^|[\s;&])(?:make|bun run(?: --silent)?) ([a-z][\w:-]*)/g)].map(
        ([, name]) => name as string,
      ),
      ...(code.match(/(?<![\w.])\.\/scripts\/[\w.-]+/g) ?? []),
    ]);
    return names.map((name) => ({ text: name, line: index + 1 }));
  });
}
