import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { commandsOf, linksOf, type DocCommand } from "./check-docs/read-docs.ts";
import { DocShell } from "./check-docs/doc-shell.ts";

//   bun scripts/check-docs.ts [FILE...]
// Runs the commands of each FILE in order, except those in `runElsewhere`, in a folder that looks like a checkout. Every
// command must succeed; a command that starts a server succeeds when the server is ready. Links must lead to existing
// files. Without FILE, checks README.md, CONTRIBUTING.md, docs/ and src/domain/README.md. If there are errors, prints all
// of them and exits with 1.

const root = resolve(import.meta.dir, "..");
/** Commands that are not run, because they are separate stages of CI, take too long, or are typed by a test (test/commands). */
const runElsewhere = [
  /^bun run (?:test|test:faults|test:elastic|typecheck|format:check)$/,
  /^bun bench\//,
  /\bmake /,
  /^\.\/scripts\//,
];

async function documents(): Promise<string[]> {
  const chosen = process.argv.slice(2);
  if (chosen.length > 0) return chosen;
  const docs = (await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md"));
  return ["README.md", "CONTRIBUTING.md", ...docs.map((name) => join("docs", name)), "src/domain/README.md"];
}

/** Makes a folder with links to everything in the checkout except data, .git and .ci. Files that commands create in the folder
 *  itself are outside the checkout. */
async function makeCheckout(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-docs-"));
  const excluded = new Set(["data", ".git", ".ci"]);
  for (const name of await readdir(root)) if (!excluded.has(name)) await symlink(join(root, name), join(folder, name));
  return folder;
}

async function brokenLinks(document: string, text: string): Promise<string[]> {
  const broken: string[] = [];
  for (const target of linksOf(text)) {
    const path = join(root, dirname(document), target);
    if (!(await Bun.file(path).exists())) broken.push(`${document}: the link to ${target} is broken`);
  }
  return broken;
}

async function failedCommands(document: string, commands: readonly DocCommand[]): Promise<string[]> {
  const folder = await makeCheckout();
  const shell = new DocShell(folder);
  const failed: string[] = [];
  try {
    for (const { text, line } of commands) {
      if (runElsewhere.some((pattern) => pattern.test(text))) continue;
      const error = await shell.run(text);
      process.stdout.write(`${error === undefined ? "ok    " : "FAILED"} ${document}:${line} ${text}\n`);
      if (error !== undefined) failed.push(`${document}:${line}: ${text}\n${error}`);
    }
  } finally {
    await shell.close();
    await rm(folder, { recursive: true, force: true });
  }
  return failed;
}

const errors: string[] = [];
for (const document of await documents()) {
  const text = await Bun.file(join(root, document)).text();
  errors.push(...(await brokenLinks(document, text)), ...(await failedCommands(document, commandsOf(text))));
}
if (errors.length > 0) process.stderr.write(`\n${errors.join("\n\n")}\n`);
process.exit(errors.length > 0 ? 1 : 0);
