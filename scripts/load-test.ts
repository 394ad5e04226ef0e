import { parseArgs } from "node:util";
import { askGateway, gatewayUrl } from "./gateway/ask-gateway.ts";
import { levelTable } from "./load-test/level-table.ts";
import { type Level, measure, type Operation } from "./load-test/run-level.ts";
import { gatewayAddress } from "./gateway/gateway-address.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Sends requests to a gateway and prints how many it answers, and how fast.
  bun run load-test [--url http://localhost:8080] [--clients 5 --operations 20]
Without --clients and --operations it runs two levels: the basic one, 5 clients at the same time with 20 requests of each
kind, and a harder one, 50 clients with 40. Exits with 1 if a request failed, with 2 if the test cannot start.
`;

const levels: Readonly<Record<string, Level>> = {
  basic: { clients: 5, operations: 20 },
  harder: { clients: 50, operations: 40 },
};
const maxShownErrors = 5;

/** @throws Error if the gateway does not answer or has no GPUs */
async function operationsOf(url: string): Promise<readonly Operation[]> {
  const [gpu] = (await askGateway(url, "/api/v1/gpus?limit=1")).data;
  if (gpu === undefined) throw new Error(`the gateway at ${url} has no GPUs yet: start a streamer and a collector`);
  return [
    { name: "gpus", path: "/api/v1/gpus" },
    { name: "hosts", path: "/api/v1/hosts" },
    { name: "clusters", path: "/api/v1/clusters" },
    { name: "telemetry of a GPU", path: `/api/v1/gpus/${encodeURIComponent(String(gpu["uuid"]))}/telemetry` },
    { name: "telemetry/latest", path: "/api/v1/telemetry/latest" },
    { name: "graphql gpus", path: "/graphql", json: { query: "{ gpus { id uuid hostname name } }" } },
  ];
}

function countOf(name: string, text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new TypeError(`--${name} ${text} is not usable: expected a whole number from 1 to 99999`);
}

/** @returns the errors */
async function runLevel(url: string, name: string, level: Level): Promise<readonly string[]> {
  const operations = await operationsOf(url);
  print(
    `${name}: ${level.clients} ${level.clients === 1 ? "client" : "clients"} at the same time, ${level.operations} requests of each kind`,
  );
  const measured = [];
  for (const operation of operations) measured.push(await measure(url, operation, level));
  print(`${levelTable(measured)}\n`);
  return measured.flatMap(({ errors }) => errors);
}

async function loadTest(): Promise<number> {
  const text = { type: "string" } as const;
  if (answersHelp(process.argv.slice(2), usage)) return 0;
  const { values } = parseArgs({ options: { url: text, clients: text, operations: text } });
  const url = values.url === undefined ? gatewayUrl(process.env) : gatewayAddress(values.url);
  const { clients = "5", operations = "20" } = values;
  const isChosen = values.clients !== undefined || values.operations !== undefined;
  const chosen = { clients: countOf("clients", clients), operations: countOf("operations", operations) };
  const errors: string[] = [];
  for (const [name, level] of Object.entries(isChosen ? { chosen } : levels)) {
    errors.push(...(await runLevel(url, name, level)));
  }
  for (const error of errors.slice(0, maxShownErrors)) print(error);
  print(errors.length === 0 ? "no request failed" : `${errors.length} requests failed`);
  return errors.length === 0 ? 0 : 1;
}

try {
  process.exit(await loadTest());
} catch (error) {
  printError((error as Error).message);
  process.exit(2);
}
