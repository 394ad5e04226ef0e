import { randomBytes } from "node:crypto";
import { chmodSync, chownSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keyFileLine } from "../src/access/file/keys-file.ts";
import { hashOf, keyIdOf, makeKeyText } from "../src/access/key-text.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Makes the keys and passwords of compose.yaml's services, with 256 random bits each, unless they exist already.
  bun scripts/compose-secrets.ts FOLDER
FOLDER has a folder for each kind of container, which only those containers see: access (the pipeline), database, etcd, monitoring.`;

/** The user of the image. */
const pipelineUser = 1000;

/** Writes a file completely or not at all. The pipeline's files are for its user only; the images of the others choose a user of their
 *  own, so theirs are for every user of the containers that see the folder. */
function write(path: string, text: string): void {
  const isOfPipeline = path.includes("/access/");
  const unfinished = `${path}.new`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  chmodSync(unfinished, isOfPipeline ? 0o400 : 0o444);
  // only root may give files away; any other user is taken for the pipeline's
  if (isOfPipeline && process.getuid?.() === 0) chownSync(unfinished, pipelineUser, pipelineUser);
  renameSync(unfinished, path);
}

const randomText = (): string => randomBytes(32).toString("hex");

/** What is made once, and stays. */
const made: Readonly<Record<string, () => string>> = {
  "access/first-key": () => `gtp_first_${randomText()}`,
  "database/password": randomText,
  "etcd/password": randomText,
  "monitoring/grafana-password": randomText,
  "monitoring/grafana-database-password": randomText,
  "monitoring/grafana-key": () => makeKeyText().text,
  "monitoring/prometheus-key": () => makeKeyText().text,
};

/** What the pipeline gets of it, from the texts of the files above. */
const derived: Readonly<Record<string, (textOf: (name: string) => string) => string>> = {
  "access/etcd-password": (textOf) => textOf("etcd/password"),
  "access/database-url": (textOf) => {
    // a password that was put there by hand, as the server's image reads it
    const password = textOf("database/password").replace(/\n+$/, "");
    return `postgres://postgres:${encodeURIComponent(password)}@timescaledb:5432/telemetry`;
  },
  "access/keys.json": (textOf) =>
    ["prometheus", "grafana"].map((name) => readKeyLine(name, textOf(`monitoring/${name}-key`))).join("\n"),
};

function readKeyLine(name: string, key: string): string {
  const sha256 = hashOf(key).toString("hex");
  return keyFileLine({ id: keyIdOf(key) ?? "", name, sha256, scopes: ["read"], expiresAtMs: undefined });
}

function makeSecrets(folder: string): void {
  for (const [name, text] of Object.entries(made)) {
    const path = join(folder, name);
    if (existsSync(path) && statSync(path).size > 0) continue;
    write(path, text());
    print(`made ${name}`);
  }
  const textOf = (name: string): string => readFileSync(join(folder, name), "utf8");
  for (const [name, text] of Object.entries(derived)) write(join(folder, name), text(textOf));
}

try {
  const args = process.argv.slice(2);
  if (answersHelp(args, usage)) process.exit(0);
  const [folder] = args;
  if (folder === undefined) throw new TypeError(usage);
  makeSecrets(folder);
} catch (error) {
  printError((error as Error).message);
  process.exitCode = 1;
}
