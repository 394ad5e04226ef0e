import { mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { commandsOf, linksOf, type DocCommand } from "./check-docs/read-docs.ts";
import { DocShell } from "./check-docs/doc-shell.ts";

// Runs every command of README.md and docs/ in its order, in a folder that looks like a checkout: a server is started and
// waited for, everything else must exit 0. Links between the files must lead somewhere. Exits 1 with every fault.

const root = resolve(import.meta.dir, "..");
/** Run by CI as stages of their own, or taking longer than a check of words may. */
const runElsewhere = [/^bun run test$/, /^bun run test:faults/, /^bun bench\//, /^npx /];

async function documents(): Promise<string[]> {
  const docs = (await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md"));
  return ["README.md", ...docs.map((name) => join("docs", name)), "src/domain/README.md"];
}

/** A folder of links to everything of the checkout but its data: what commands write stays out of the checkout. */
async function makeCheckout(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-docs-"));
  const left = new Set(["data", ".git", ".ci"]);
  for (const name of await readdir(root)) if (!left.has(name)) await symlink(join(root, name), join(folder, name));
  return folder;
}

async function brokenLinks(document: string, text: string): Promise<string[]> {
  const broken: string[] = [];
  for (const target of linksOf(text)) {
    const path = join(root, dirname(document), target);
    if (!(await Bun.file(path).exists())) broken.push(`${document}: the link to ${target} leads nowhere`);
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
      const fault = await shell.run(text);
      process.stdout.write(`${fault === undefined ? "ok    " : "FAILED"} ${document}:${line} ${text}\n`);
      if (fault !== undefined) failed.push(`${document}:${line}: ${text}\n${fault}`);
    }
  } finally {
    await shell.close();
    await rm(folder, { recursive: true, force: true });
  }
  return failed;
}

const faults: string[] = [];
for (const document of await documents()) {
  const text = await Bun.file(join(root, document)).text();
  faults.push(...(await brokenLinks(document, text)), ...(await failedCommands(document, commandsOf(text))));
}
if (faults.length > 0) process.stderr.write(`\n${faults.join("\n\n")}\n`);
process.exit(faults.length > 0 ? 1 : 0);
