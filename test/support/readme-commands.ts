import { readFileSync } from "node:fs";
import { sharedFile } from "./shared-data.ts";

/** The shell commands of a section of the former system's README. */
export interface ReadmeSection {
  readonly title: string;
  /** In the order of the text, without comments; a loop, or a command over several lines, is one command. */
  readonly commands: readonly string[];
}

const path = sharedFile("seed-readme.md");

/** The sections with shell commands; undefined when the shared folder does not have the text, for `test.skipIf`. */
export const readmeSections = path === undefined ? undefined : parse(readFileSync(path, "utf8"));

function parse(readme: string): readonly ReadmeSection[] {
  const sections: { title: string; commands: string[] }[] = [];
  // a comment in a block also begins with #
  const parts = readme.split(/^(```bash\n.*?^```|#{2,4} [^\n]*$)/ms);
  for (const part of parts) {
    if (part.startsWith("#")) sections.push({ title: part.replace(/^#+ \P{L}*/u, ""), commands: [] });
    else if (part.startsWith("```bash")) sections.at(-1)?.commands.push(...commandsIn(part));
  }
  return sections.filter(({ commands }) => commands.length > 0);
}

function commandsIn(block: string): string[] {
  const lines = block
    .split("\n")
    .slice(1, -1)
    .join("\n")
    .replace(/\\\n\s*/g, "");
  return lines
    .replace(/^(for .*?^done)$/gms, (loop) => loop.replace(/do\n/, "do ").replaceAll("\n", "; "))
    .split("\n")
    .map((line) => line.replace(/\s{2,}#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
