import { existsSync } from "node:fs";
import { access, constants, copyFile, cp, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { scripts } from "../package.json";
import { makeDataDir } from "../dev/empty-store.ts";
import { anchorsOf, commandsOf, linksOf, scriptsIn, type DocCommand } from "./check-docs/read-docs.ts";
import { DocShell } from "./check-docs/doc-shell.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Runs the commands of each FILE in order, in a folder that looks like a checkout.
  bun scripts/check-docs.ts [FILE...]
Every command must succeed; a command that starts a server succeeds when the server is ready. Links must lead to existing files and
headings; scripts that the text names must exist; git must ignore the files that commands create. Without FILE, checks README.md,
CONTRIBUTING.md, docs/ and src/domain/README.md. If there are errors, prints all of them and exits with 1.`;

const root = resolve(import.meta.dir, "..");
/** Commands that are not run, because they are separate stages of CI, take too long, need containers, or are typed by a test (test/commands). */
const runElsewhere = [
  /^bun run (?:test|test:faults|test:elastic|test:containers|test:kubernetes|typecheck|format:check)$/,
  /^bun bench\//,
  /\bmake (?!(?:help|config)$)/,
  /\bdocker (?:compose|run|build|tag|push)\b/,
  /^\.\/scripts\//,
];

async function documents(): Promise<string[]> {
  const chosen = process.argv.slice(2);
  if (chosen.length > 0) return chosen;
  const docs = (await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md"));
  return ["README.md", "CONTRIBUTING.md", ...docs.map((name) => join("docs", name)), "src/domain/README.md"];
}

/** Makes a folder with links to everything in the checkout except data, .git and .ci, and with an empty database, so that no document's
 *  pipeline has to make one. Files that commands create in the folder itself are outside the checkout.
 *  @param data  a DATA_DIR to copy */
async function makeCheckout(data: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-docs-"));
  // git does not follow a link with the name of its settings
  const excluded = new Set(["data", ".git", ".ci", ".gitignore"]);
  for (const name of await readdir(root)) if (!excluded.has(name)) await symlink(join(root, name), join(folder, name));
  await copyFile(join(root, ".gitignore"), join(folder, ".gitignore"));
  await cp(data, join(folder, "data"), { recursive: true });
  return folder;
}

/** @returns an error for each file that the commands of a document have created, and that git does not ignore */
async function strayFiles(document: string, folder: string): Promise<string[]> {
  if (Bun.which("git") === null) return [];
  const made = (await readdir(folder, { withFileTypes: true })).filter((entry) => !entry.isSymbolicLink());
  const git = (...args: string[]) => Bun.spawnSync(["git", ...args], { cwd: folder });
  git("init", "--quiet");
  return made
    .filter(({ name }) => name !== ".gitignore" && git("check-ignore", "--quiet", name).exitCode !== 0)
    .map(({ name }) => `${document}: its commands create ${name}, which .gitignore does not have`);
}

/** @returns an error for each script that a document names and that does not exist or is not executable */
async function missingScripts(document: string, text: string): Promise<string[]> {
  const errors = await Promise.all(
    scriptsIn(text).map(async ({ text: name, line }) => {
      const exists = name.startsWith("./")
        ? await access(join(root, name), constants.X_OK).then(
            () => true,
            () => false,
          )
        : Object.hasOwn(scripts, name);
      return exists ? [] : [`${document}:${line}: there is no script ${name}`];
    }),
  );
  return errors.flat();
}

async function brokenLinks(document: string, text: string): Promise<string[]> {
  const broken: string[] = [];
  for (const { path, anchor } of linksOf(text)) {
    const file = path === "" ? document : join(dirname(document), path);
    if (!(await Bun.file(join(root, file)).exists())) broken.push(`${document}: the link to ${path} is broken`);
    else if (anchor !== undefined && file.endsWith(".md")) {
      const anchors = anchorsOf(await Bun.file(join(root, file)).text());
      if (!anchors.has(anchor)) broken.push(`${document}: ${file} has no heading #${anchor}`);
    }
  }
  return broken;
}

async function failedCommands(document: string, commands: readonly DocCommand[], data: string): Promise<string[]> {
  const folder = await makeCheckout(data);
  const shell = new DocShell(folder);
  const failed: string[] = [];
  try {
    for (const { text, line } of commands) {
      if (runElsewhere.some((pattern) => pattern.test(text))) continue;
      const error = await shell.run(text);
      print(`${error === undefined ? "ok    " : "FAILED"} ${document}:${line} ${text}`);
      if (error !== undefined) failed.push(`${document}:${line}: ${text}\n${error}`);
    }
    await shell.close();
    failed.push(...(await strayFiles(document, folder)));
  } finally {
    await shell.close();
    await rm(folder, { recursive: true, force: true });
  }
  return failed;
}

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const missing = (await documents()).filter((document) => !existsSync(join(root, document)));
if (missing.length > 0) {
  printError(
    `${missing.join(", ")} does not exist; a FILE is named from the root of the checkout, such as docs/push.md`,
  );
  process.exit(1);
}
const errors: string[] = [];
const data = await mkdtemp(join(tmpdir(), "telemetry-docs-data-"));
await makeDataDir(data);
for (const document of await documents()) {
  const text = await Bun.file(join(root, document)).text();
  errors.push(...(await brokenLinks(document, text)), ...(await missingScripts(document, text)));
  errors.push(...(await failedCommands(document, commandsOf(text), data)));
}
await rm(data, { recursive: true, force: true });
if (errors.length > 0) printError(`\n${errors.join("\n\n")}`);
process.exit(errors.length > 0 ? 1 : 0);
