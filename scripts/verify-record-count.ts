import { join } from "node:path";
import { askGateway, gatewayUrl } from "./gateway/ask-gateway.ts";
import { runPaths } from "./supervisor/run-paths.ts";
import { StateFile } from "./supervisor/saved-state.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Compares a CSV file with what a gateway serves, as 'bun run verify' does, and prints the numbers of GPUs, hosts and records.
  scripts/verify-record-count.sh [FILE.csv]
Without FILE, takes CSV_FILE, or else the file that make scale-local streams; without any, only counts. The gateway: TELEMETRY_URL, or
PORT (8080). Waits for records that have not arrived yet. Exits with 1 if they differ, or if messages could not be stored; with 2
without a gateway.`;

/** The time in which the records of the file must have arrived. */
const limitMs = 60_000;
const pauseMs = 1000;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const settings = new StateFile(runPaths(process.env).state).read()?.settings ?? {};
const env = { ...settings, ...process.env };
const url = gatewayUrl(env);
const csvFile = process.argv[2] ?? (env.CSV_FILE || undefined);

interface Outcome {
  readonly code: number;
  readonly text: string;
}

async function compare(file: string): Promise<Outcome> {
  const command = [process.execPath, join(import.meta.dir, "verify.ts"), "--csv", file, "--url", url];
  const child = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"] });
  const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, text: output + errors };
}

/** Compares until the records agree or the time is up. */
async function compareInTime(file: string): Promise<Outcome> {
  const endMs = Date.now() + limitMs;
  for (;;) {
    const outcome = await compare(file);
    if (outcome.code !== 1 || Date.now() > endMs) return outcome;
    await Bun.sleep(pauseMs);
  }
}

const sumOf = (rows: readonly Readonly<Record<string, unknown>>[], field: string): number =>
  rows.reduce((sum, row) => sum + Number(row[field] ?? 0), 0);

async function counts(): Promise<string> {
  const clusters = (await askGateway(url, "/api/v1/clusters")).data;
  const stats = clusters.map(({ id }) => `/api/v1/clusters/${encodeURIComponent(String(id))}/stats`);
  const rows = await Promise.all(stats.map((path) => askGateway(url, path).then(({ data }) => data)));
  const flat = rows.flat();
  return `${sumOf(flat, "gpu_count")} GPUs on ${sumOf(flat, "host_count")} hosts, ${sumOf(flat, "record_count")} records`;
}

async function deadLetters(): Promise<number> {
  return (await askGateway(url, "/api/v1/pipeline/dead-letters")).count;
}

try {
  const { code, text } = csvFile === undefined ? { code: 0, text: "" } : await compareInTime(csvFile);
  const dead = await deadLetters();
  print(`${text}${await counts()} (${url})`);
  if (dead > 0) print(`${dead} messages could not be stored: bun run telemetry dead-letters lists them`);
  process.exit(code === 0 && dead > 0 ? 1 : code);
} catch (error) {
  printError((error as Error).message);
  process.exit(2);
}
