import type { Subprocess } from "bun";
import { fileURLToPath } from "node:url";
import { clientTools } from "../../dev/servers/client-tools.ts";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { systemPath } from "../../dev/servers/trixie.ts";
import { interrupt } from "./read-docs.ts";

/** Commands that start a server. Before a server starts, the running servers of the kinds in `stops` are stopped. */
const servers = [
  { kind: "role", command: /ROLE=.* bun run start$/, stops: ["main"], isUp: /health\s+http/ },
  // waits for the end of the import, because the next commands read its data
  { kind: "main", command: /^CSV_FILE=\S+ bun run (dev|start)$/, stops: ["main", "role"], isUp: /records stored/ },
  { kind: "main", command: /bun run (dev|start)$/, stops: ["main", "role"], isUp: /health\s+http/ },
  { kind: "exporters", command: /^bun run simulate --serve /, stops: ["exporters"], isUp: /exporters \(/ },
  { kind: "balancer", command: /bun run balancer$/, stops: ["balancer"], isUp: /balancer listens on/ },
  { kind: "services", command: /bun run services$/, stops: ["main", "role", "services"], isUp: /Ctrl-C/ },
] as const;

/** Commands that may use client programs. A reader has these programs, but the machine that checks the documents may not. */
const usesTools = /^(?:etcdctl|psql|pg_dump|pg_restore)\b/;

/** A command that sets a variable for later ones. */
const exported = /^export ([A-Z_]+)=/;

/** wscat, run by this Bun: a reader has it as a program. It ends when its standard input does. */
const wscat = fileURLToPath(import.meta.resolve("wscat/bin/wscat"));
const interactive = /^wscat\b/;

const documentedPorts = ["8080", "8081", "8082", "9400"];

const timeoutMs = 120_000;

/** Runs commands as a reader would type them: one after the other, each with the files that the earlier ones left. Free ports
 *  replace the documents' ports, and later commands get the settings that `bun run services` prints. */
export class DocShell {
  private readonly running = new Map<string, Subprocess[]>();
  private ports: number[] = [];
  private settings: Record<string, string> = {};

  constructor(private readonly folder: string) {}

  /** @returns the output of a failed command; undefined if the command succeeded */
  async run(command: string): Promise<string | undefined> {
    if (command === interrupt) return this.interrupt();
    const server = servers.find(({ command: pattern }) => pattern.test(command));
    return server === undefined ? this.runToEnd(command) : this.startServer(command, server);
  }

  /** Stops the servers that are still running. */
  async close(): Promise<void> {
    for (const kind of [...this.running.keys()].sort()) await this.end(kind);
  }

  /** Stops the pipeline's processes, but not the services. */
  private async interrupt(): Promise<undefined> {
    for (const kind of ["main", "role"]) await this.end(kind);
  }

  /** Runs a command to its end. Repeats a failed curl for a while: the data that it requests may not be stored yet. */
  private async runToEnd(command: string): Promise<string | undefined> {
    let error = await this.runOnce(command);
    for (let tries = 0; command.startsWith("curl") && error !== undefined && tries < 20; tries += 1) {
      await Bun.sleep(500);
      error = await this.runOnce(command);
    }
    return error;
  }

  private async runOnce(command: string): Promise<string | undefined> {
    const name = exported.exec(command)?.[1];
    const line = name === undefined ? command : `${command}; printf %s "$${name}"`;
    const child = Bun.spawn(["bash", "-c", `${await this.toolsOf(command)}${await this.withPorts(line)}`], {
      ...{ cwd: this.folder, env: await this.environment(), stdout: "pipe", stderr: "pipe", timeout: timeoutMs },
      stdin: interactive.test(command) ? "pipe" : "ignore",
    });
    const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    if (name !== undefined) this.settings[name] = output;
    const hasSucceeded =
      (await child.exited) === 0 && !(command.startsWith("curl") && output.includes('"success":false'));
    return hasSucceeded ? undefined : `${output.slice(-2000)}${errors.slice(-2000)}`;
  }

  private async toolsOf(command: string): Promise<string> {
    if (interactive.test(command)) return `wscat() { '${process.execPath}' '${wscat}' "$@"; }; `;
    return usesTools.test(command) ? clientTools({ etcdEndpoint: this.settings.ETCD_ENDPOINTS }) : "";
  }

  private async startServer(
    command: string,
    { kind, stops, isUp }: (typeof servers)[number],
  ): Promise<string | undefined> {
    for (const other of stops) await this.end(other);
    const child = Bun.spawn(["bash", "-c", `exec env ${await this.withPorts(command)}`], {
      ...{ cwd: this.folder, env: await this.environment(), stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    });
    this.running.set(kind, [...(this.running.get(kind) ?? []), child]);
    const output = await outputUntil(child.stdout, isUp);
    if (!isUp.test(output)) return output;
    for (const [, name, value] of output.matchAll(/^(ETCD_ENDPOINTS|DATABASE_URL)=(\S+)$/gm)) {
      this.settings[name as string] = value as string;
    }
    return undefined;
  }

  private async end(kind: string): Promise<void> {
    const children = this.running.get(kind) ?? [];
    this.running.delete(kind);
    for (const child of children) child.kill("SIGTERM");
    await Promise.all(children.map(({ exited }) => exited));
  }

  /** Replaces the documents' ports, 8080 to 8082 and 9400, with free ones. */
  private async withPorts(command: string): Promise<string> {
    if (this.ports.length === 0) this.ports = await freePorts(documentedPorts.length);
    return command.replace(/\b(?:808[012]|9400)\b/g, (port) => String(this.ports[documentedPorts.indexOf(port)]));
  }

  private async environment(): Promise<Record<string, string>> {
    const port = Number(await this.withPorts("8080"));
    const path = `${process.env.PATH ?? ""}:${systemPath}`;
    const portVariables = { PORT: String(port), TELEMETRY_URL: `http://localhost:${port}` };
    return { HOME: process.env.HOME ?? "", PATH: path, ...portVariables, ...this.settings };
  }
}

/** @returns the output of a process until the pattern matches, the process ends, or the time is up. Later output is
 *  dropped. */
async function outputUntil(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  const isUp = Promise.withResolvers<void>();
  void (async () => {
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      if (pattern.test(text)) isUp.resolve();
    }
    isUp.resolve();
  })();
  await Promise.race([isUp.promise, Bun.sleep(timeoutMs)]);
  return text;
}
