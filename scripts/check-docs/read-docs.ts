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

/** A relative link. */
export interface DocLink {
  /** Empty for a link within the document. */
  readonly path: string;
  /** The heading, as GitHub writes it in addresses; undefined if the link names none. */
  readonly anchor: string | undefined;
}

/** The relative links of a document. */
export function linksOf(markdown: string): DocLink[] {
  return [...markdown.matchAll(/\]\(([^)#]*)(?:#([^)]*))?\)/g)]
    .map(([, path = "", anchor]) => ({ path, anchor }))
    .filter(({ path }) => !/^[a-z]+:/.test(path));
}

/** The anchors of a document's headings.
 *  Source: https://docs.github.com/en/get-started/writing-on-github (section links) */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const headings = markdown.replace(/^```.*?^```/gms, "").matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, text = ""]) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\d\- _]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

// `make` only where a command begins: it is also a word of messages
const commandsOfScripts = /(?:(?:^|[;&|]) *(?:\w+=\S+ +)*make|(?:^|[\s;&])bun run(?: --silent)?) ([a-z][\w:-]*)/g;

/** The scripts that a document names in its code, as `make NAME`, `bun run NAME` or `./scripts/FILE`. */
export function scriptsIn(markdown: string): DocCommand[] {
  let inside = false;
  return markdown.split("\n").flatMap((text, index) => {
    if (text.startsWith("```")) inside = !inside;
    const codes = inside ? [text] : [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);
    const names = codes.flatMap((code) => [
      ...[...code.matchAll(commandsOfScripts)].map(([, name]) => name as string),
      ...(code.match(/(?<![\w.])\.\/scripts\/[\w.-]+/g) ?? []),
    ]);
    return names.map((name) => ({ text: name, line: index + 1 }));
  });
}
