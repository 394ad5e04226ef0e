import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { cacheFolder } from "../../dev/servers/trixie.ts";
import { copyCheckout } from "../support/checkout-copy.ts";

/** A version of the program. */
export interface Checkout {
  readonly dir: string;
  remove(): Promise<void>;
}

/** The last version without migration 0033. Earlier ones without `src/db/contractions.ts` refuse a migration that they do not know. */
export const previous = "4a504be3c9298662faf037aa52e575673edd7582";

const root = resolve(import.meta.dir, "../..");

/** This checkout. */
export const thisCheckout: Checkout = { dir: root, remove: () => Promise.resolve() };

/** @returns why the commit cannot be had here; undefined if it can */
export async function reasonAgainst(commit: string): Promise<string | undefined> {
  if (Bun.which("git") === null) return "git is not installed";
  const found = await output(["git", "cat-file", "-e", `${commit}^{commit}`]).then(
    () => true,
    () => false,
  );
  return found ? undefined : `this checkout has no history with the commit ${commit}`;
}

/** The program as of a commit, with the packages of its own lockfile. The folder outlives a run, and is shared by all checkouts. */
export async function checkoutOf(commit: string): Promise<Checkout> {
  const hash = (await output(["git", "rev-parse", `${commit}^{commit}`])).trim();
  const versions = join(cacheFolder(), "versions");
  const dir = join(versions, hash);
  if (!existsSync(dir)) {
    await mkdir(versions, { recursive: true });
    const unfinished = await mkdtemp(join(versions, "unfinished-"));
    await output(["sh", "-c", 'git archive "$0" | tar -x -C "$1"', hash, unfinished]);
    await output([process.execPath, "install", "--frozen-lockfile"], unfinished);
    // another process may have been quicker
    await rename(unfinished, dir).catch(() => rm(unfinished, { recursive: true }));
  }
  return { dir, remove: () => Promise.resolve() };
}

const endOfCatalogue = "];\n\n// prettier-ignore\nconst labelRows";
const metric =
  '  ["next_metric", "DCGM_FI_DEV_NEXT_METRIC", 9191, "percent", "gauge", 0, 100, "A metric of the next version"],\n';

/** A copy of this checkout that has one more metric, and so one more migration: a next version. */
export async function nextVersion(): Promise<Checkout> {
  const copy = await copyCheckout();
  await copy.replace("src/domain/metrics.ts", endOfCatalogue, metric + endOfCatalogue);
  await copy.run(["bun", "run", "db:generate", "--name", "next_metric"]);
  return copy;
}

async function output(command: readonly string[], cwd = root): Promise<string> {
  const child = Bun.spawn([...command], { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}:\n${text}${errors}`);
  return text;
}
