import { askGateway, gatewayUrl } from "./gateway/ask-gateway.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Asks a gateway for the records of a GPU by start_time, end_time and limit, and compares the answers with its newest records.
  scripts/test-time-queries.sh [UUID]
Without UUID, takes the first GPU of the list. The gateway: TELEMETRY_URL, or PORT (8080). Prints a line for each query. Exits with 1
if an answer is wrong, with 2 if the gateway does not answer.`;

/** The gateway's answers are compared with so many of the GPU's newest records. */
const comparedRecords = 100;

if (answersHelp(process.argv.slice(2), usage)) process.exit(0);
const url = gatewayUrl(process.env);

interface Query {
  readonly parameters: Readonly<Record<string, string>>;
  /** The times of the records that the answer must have. */
  readonly expected: readonly string[];
}

async function timesOf(uuid: string, parameters: Readonly<Record<string, string>>): Promise<string[]> {
  const path = `/api/v1/gpus/${encodeURIComponent(uuid)}/telemetry?${new URLSearchParams(parameters).toString()}`;
  return (await askGateway(url, path)).data.map(({ timestamp }) => String(timestamp));
}

/** @param times the times of the GPU's newest records, oldest first; at least one */
function queriesFor(times: readonly string[]): readonly Query[] {
  const [first = "", last = ""] = [times[0], times.at(-1)];
  const middle = times[Math.floor(times.length / 2)] ?? first;
  const between = (from: string, to: string): readonly string[] =>
    times.filter((time) => Date.parse(time) >= Date.parse(from) && Date.parse(time) <= Date.parse(to));
  const limit = (count: number): string => String(Math.min(count, times.length));
  const after = new Date(Date.parse(last) + 3_600_000).toISOString();
  return [
    { parameters: { start_time: first, end_time: last }, expected: times },
    { parameters: { start_time: middle, end_time: last }, expected: between(middle, last) },
    { parameters: { start_time: first, end_time: middle }, expected: between(first, middle) },
    { parameters: { start_time: middle, end_time: middle }, expected: [middle] },
    { parameters: { start_time: first, end_time: last, limit: limit(3) }, expected: times.slice(-3) },
    { parameters: { start_time: after, end_time: after }, expected: [] },
  ];
}

async function firstGpu(): Promise<string> {
  const [gpu] = (await askGateway(url, "/api/v1/gpus?limit=1")).data;
  if (gpu === undefined) throw new Error(`the gateway at ${url} has no GPUs yet: start a streamer and a collector`);
  return String(gpu["uuid"]);
}

async function check(uuid: string, { parameters, expected }: Query): Promise<boolean> {
  const times = await timesOf(uuid, { limit: String(comparedRecords), ...parameters });
  const isRight = Bun.deepEquals(times, [...expected]);
  const shown = Object.entries(parameters).map(([name, value]) => `${name}=${value}`);
  const wrong = isRight ? "" : `, expected ${expected.length}: ${expected.join(", ")}`;
  print(`${isRight ? "ok    " : "FAILED"}  ${shown.join("&")}  ${times.length} records${wrong}`);
  return isRight;
}

try {
  const uuid = process.argv[2] ?? (await firstGpu());
  const times = await timesOf(uuid, { limit: String(comparedRecords) });
  if (times.length === 0) throw new Error(`${uuid} has no records`);
  print(`${uuid}: ${times.length} newest records, ${times[0]} to ${times.at(-1)}`);
  const results = [];
  for (const query of queriesFor(times)) results.push(await check(uuid, query));
  process.exit(results.every(Boolean) ? 0 : 1);
} catch (error) {
  printError((error as Error).message);
  process.exit(2);
}
