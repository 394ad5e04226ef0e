import { afterAll, beforeAll, expect, test } from "bun:test";
import { stripVTControlCharacters } from "node:util";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { type PipelineProcess, startPipeline, stopPipeline, urlOf } from "../../dev/pipeline-process.ts";
import { until } from "../../dev/until.ts";
import { runTelemetry } from "./run-telemetry.ts";
import { type ProvidedDatabase, provideDatabase } from "../../dev/servers/provide-database.ts";

let database: ProvidedDatabase;
const withStarts = 180_000;
let pipeline: PipelineProcess;
let port: number;
const opened: Top[] = [];

async function start(): Promise<void> {
  const fleet = { SIM_HOSTS: "2", SIM_GPUS_PER_HOST: "8", SIM_MIG: "0.2", SIM_INTERVAL: "500ms" };
  pipeline = startPipeline({ DATABASE_URL: database.url, PORT: String(port), ...fleet });
  await urlOf(pipeline);
}

beforeAll(async () => {
  [port = 0] = await freePorts(1);
  database = await provideDatabase();
  await start();
  const listed = async () => JSON.parse((await run("latest", "--json")).text || "[]") as unknown[];
  await until(async () => (await listed()).length >= 16, { timeoutMs: 60_000, everyMs: 200 });
}, withStarts);
afterAll(async () => {
  for (const { child } of opened) child.kill("SIGKILL");
  await stopPipeline(pipeline, "SIGKILL");
  await database.stop();
});

const run = (...args: string[]) => runTelemetry(port, args);

/** `telemetry top` in a pseudo-terminal. */
class Top {
  output = "";
  readonly child: Bun.Subprocess;

  constructor(args: readonly string[], { cols = 120, rows = 30, env = {} } = {}) {
    const decoder = new TextDecoder();
    this.child = Bun.spawn([process.execPath, "scripts/telemetry.ts", "top", ...args], {
      cwd: `${import.meta.dir}/../..`,
      env: { ...process.env, TELEMETRY_URL: `http://127.0.0.1:${port}`, TERM: "xterm-256color", NO_COLOR: "", ...env },
      terminal: { cols, rows, data: (_, data) => void (this.output += decoder.decode(data, { stream: true })) },
    });
    opened.push(this);
  }

  /** The lines of the last screen that was drawn to its end. */
  get lines(): string[] {
    const drawn = this.output.slice(0, this.output.lastIndexOf("\u001b[J") + 1);
    return stripVTControlCharacters(drawn.slice(drawn.lastIndexOf("\u001b[H"))).split("\r\n");
  }

  /** The lines of devices. */
  get rows(): string[] {
    return this.lines.filter((line) => /^sim-\S+ /.test(line));
  }

  press(keys: string): void {
    this.child.terminal?.write(keys);
  }

  shows(pattern: RegExp, timeoutMs = 20_000): Promise<unknown> {
    const check = () => pattern.test(this.lines.join("\n"));
    return until(check, { timeoutMs }).catch(() => {
      throw new Error(`the screen does not show ${pattern}:\n${this.lines.join("\n")}`);
    });
  }
}

const bold = "\u001b[1m";
const restored = "\u001b[?7h\u001b[?25h\u001b[?1049l";

test(
  "a full screen shows the live fleet, follows keys and the size, and gives the terminal back",
  async () => {
    const top = new Top([]);
    await top.shows(/^(?:1[6-9]|[2-9]\d) devices {2}2 hosts {2}[^]* live/);
    expect(top.output).toStartWith("\u001b[?1049h");
    expect(top.rows.length).toBeGreaterThanOrEqual(16);
    await top.shows(/[▁-█]{4}/);
    expect(top.lines.join("\n")).toMatch(/^sim-dgx-00[12] +└\d:\d+ +\dg\.\d+gb/m);
    top.press("sss");
    await top.shows(/UTIL▼/);
    top.press("r");
    await top.shows(/UTIL▲/);
    top.press("/sim-dgx-002");
    await top.shows(/\/sim-dgx-002_/);
    top.press("\r");
    await top.shows(/filter: sim-dgx-002/);
    expect(top.rows.every((line) => line.startsWith("sim-dgx-002"))).toBe(true);
    top.press("\u001b");
    await top.shows(/1-\d+ of (?:1[6-9]|2\d) {2}q quit/);
    top.child.terminal?.resize(60, 12);
    await until(() => top.lines.length === 12 && top.lines.every((line) => Bun.stringWidth(line) === 60));
    top.press("\u001b[F");
    await top.shows(/^(?!1-)\d+-(\d+) of \1 /m);
    top.press("q");
    expect(await top.child.exited).toBe(0);
    expect(top.output).toEndWith(restored);
  },
  withStarts,
);

test(
  "signals and Ctrl-C give the terminal back, a closed terminal ends it, --count too, and NO_COLOR has no colours",
  async () => {
    const closed = new Top([]);
    await closed.shows(/devices/);
    closed.child.terminal?.close();
    expect(await closed.child.exited).toBe(129);
    const [terminated, interrupted] = [new Top([]), new Top(["--sort", "power"])];
    await Promise.all([terminated.shows(/devices/), interrupted.shows(/POWER▼/)]);
    terminated.child.kill("SIGTERM");
    interrupted.press("\u0003");
    expect(await Promise.all([terminated.child.exited, interrupted.child.exited])).toEqual([143, 0]);
    const plain = new Top(["--count", "2", "--interval", "0.2"], { env: { NO_COLOR: "1" } });
    expect(await plain.child.exited).toBe(0);
    expect(plain.output.split("\u001b[J")).toHaveLength(3);
    for (const { output } of [terminated, interrupted, plain]) expect(output).toEndWith(restored);
    expect(terminated.output).toContain(bold);
    expect(plain.output.replaceAll(/[^[;\dm]/g, " ")).not.toMatch(/\[[\d;]*m/);
  },
  withStarts,
);

test(
  "in a pipe and with TERM=dumb there are plain lines, a table a round; with --json, a document a round",
  async () => {
    const args = ["top", "--count", "2", "--interval", "0.2", "--host", "sim-dgx-001"];
    const piped = await run(...args);
    expect([piped.status, piped.errors]).toEqual([0, ""]);
    expect(piped.text).not.toContain("\u001b");
    expect(piped.text.match(/^HOST +GPU▲ +MODEL +UTIL +MEM +GIB +POWER +TEMP +HELD BY +AGE$/gm)).toHaveLength(2);
    expect(piped.text).not.toContain("sim-dgx-002");
    const dumb = new Top(["--count", "1"], { env: { TERM: "dumb" } });
    expect(await dumb.child.exited).toBe(0);
    expect(dumb.output).not.toContain("\u001b");
    expect(dumb.output).toContain("sim-dgx-002");
    const documents = (await run(...args, "--json")).text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(documents).toHaveLength(2);
    expect(documents[1]).toMatchObject({ stale_since: null, summary: { hosts: 1 } });
    expect(new Set((documents[1] as { rows: { hostname: string }[] }).rows.map(({ hostname }) => hostname))).toEqual(
      new Set(["sim-dgx-001"]),
    );
    expect((await run("top", "--sort", "nonsense")).errors).toContain("Allowed choices are gpu, host");
  },
  withStarts,
);

test(
  "while the gateway is away the screen says since when; it comes back by itself",
  async () => {
    const top = new Top([]);
    await top.shows(/ live/);
    await stopPipeline(pipeline, "SIGKILL");
    await top.shows(/stale since \d\d:\d\d:\d\d UTC/);
    expect(top.rows.length).toBeGreaterThanOrEqual(16);
    await start();
    await top.shows(/newest record [0-3]s old +live/, 90_000);
    top.press("q");
    expect(await top.child.exited).toBe(0);
    await stopPipeline(pipeline, "SIGKILL");
    const without = await run("top", "--count", "1");
    expect([without.status, without.text]).toEqual([2, ""]);
  },
  withStarts,
);
