import { version } from "../package.json";
import { Command, InvalidArgumentError, Option } from "commander";
import { createGatewayClient, GatewayError, GatewayUnreachable, SubscriptionRefused } from "gpu-telemetry-client";
import { addAggregates } from "./telemetry/aggregates.ts";
import { addArchive } from "./telemetry/archive/archive-command.ts";
import { changes } from "./telemetry/changes.ts";
import { coverage } from "./telemetry/coverage.ts";
import { gatewayAddress } from "./gateway/gateway-address.ts";
import { localGateway } from "./gateway/ask-gateway.ts";
import { gatewayInit } from "./gateway/gateway-init.ts";
import { unreachableHint, withoutRefusal } from "./gateway/unreachable-hint.ts";
import { TelemetryError } from "../src/domain/errors.ts";
import { inventoryStates } from "../src/domain/inventory.ts";
import { addInventory } from "./telemetry/inventory-command.ts";
import { addFaults } from "./telemetry/faults/faults-command.ts";
import { addMcp } from "./telemetry/mcp.ts";
import { addCompletions } from "./telemetry/completions/completions-command.ts";
import { addClusters } from "./telemetry/clusters.ts";
import { addExport } from "./telemetry/export.ts";
import { addImport } from "./telemetry/import.ts";
import { UsageError } from "./telemetry/usage-error.ts";
import { history } from "./telemetry/history.ts";
import {
  deadLetters,
  deleteLetter,
  deleteRejection,
  queue,
  redriveLetter,
  redriveRejection,
  rejections,
} from "./telemetry/pipeline.ts";
import { gpus, hosts, latest, series } from "./telemetry/fleet.ts";
import { createKey, type KeyOptions, listKeys, makeKey, revokeKey, rotateKey } from "./telemetry/keys.ts";
import type { Output } from "./telemetry/output.ts";
import { endSession, listSessions, whoAmI } from "./telemetry/people.ts";
import { scaling } from "./telemetry/scaling.ts";
import { services } from "./telemetry/services.ts";
import { explainErrors } from "./telemetry/similar-option.ts";
import { targets } from "./telemetry/targets.ts";
import { addUploads } from "./telemetry/uploads.ts";
import { addUsage } from "./telemetry/usage.ts";
import { addTop } from "./telemetry/top/top-command.ts";
import { watch } from "./telemetry/watch.ts";
import { watchFaults } from "./telemetry/faults/watch-faults.ts";
import { printError } from "../src/terminal/print.ts";

// bun run telemetry -- gpus|hosts|clusters|stats|metrics|latest|history|export|import|archive|upload|uploads|aggregates|coverage|usage|waste|inventory|changes|watch|top|faults|series|services|targets|scaling|queue|rejections|dead-letters|keys|sessions|whoami|mcp|completions
//   [--json] [--url http://localhost:8080]
// A gateway that needs a key gets the one of TELEMETRY_KEY, or of the file TELEMETRY_KEY_FILE. TELEMETRY_CA_FILE, TELEMETRY_CERT_FILE and
// TELEMETRY_CERT_KEY_FILE are for TLS.
// Shows the data of a gateway: tables for people, JSON for programs. Also redrives and deletes dead letters and rejected inputs, changes the inventory, and administers keys and sessions. Exits with 1 if
// the gateway refuses a request, with 2 if no gateway answers.

function gatewayUrl(text: string): string {
  try {
    return text === "" ? localGateway(process.env) : gatewayAddress(text);
  } catch {
    throw new InvalidArgumentError("Expected localhost:8080, or a URL such as https://gateway:8080.");
  }
}

const program = new Command("telemetry")
  .description("Shows the data of a gateway of the GPU telemetry pipeline")
  .addOption(
    new Option("--url <url>", "URL of the gateway, or host:port")
      .env("TELEMETRY_URL")
      .default(localGateway(process.env), "this machine's, at PORT or 8080")
      .argParser(gatewayUrl),
  )
  .version(version, "--version", "the version")
  .option("--json", "JSON instead of tables", false);
explainErrors(program, process.argv.slice(2));

function output(): Output {
  const { url, json } = program.opts<{ url: string; json: boolean }>();
  const { headers, ...tls } = gatewayInit(process.env);
  const gateway = createGatewayClient({ baseUrl: url, headers, fetch: (request) => fetch(request, tls) });
  return { gateway, url, headers, ...tls, asJson: json };
}

const parseCount = (text: string): number => {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 10_000) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1 to 10000.");
};

const parseSequence = (text: string): number => {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number.");
};

const parseSeconds = (text: string): number => {
  if (/^\d{1,7}$/.test(text) && Number(text) <= 2_592_000) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 0 to 2592000.");
};

const onlyGpu = ["--gpu <uuid>", "only this GPU or MIG instance"] as const;
const onlyInstances = ["--parent <uuid>", "only the MIG instances of this GPU"] as const;

const rfc3339 = "RFC 3339 with zone, such as 2025-07-18T20:42:34Z, or a time from now, such as -1h";

/** Adds a command with the filters that the lists of GPUs, hosts and records share. */
function filtered(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option("--cluster <id>", "only of this cluster")
    .option("--host <hostname>", "only of this host")
    .option("--model <name>", "only GPUs of this model")
    .option("--namespace <name>", "only GPUs that this namespace holds")
    .option(...onlyInstances)
    .option("--limit <count>", "maximum number of rows", parseCount);
}

const metricNames = [
  "--metrics <names>",
  'only these metrics, or series such as xid_errors{xid="31"}, separated by commas; /api/v1/metrics and the command series list them',
] as const;

const onlyState = (): Option => new Option("--state <name>", "only those in this state").choices(inventoryStates);

filtered("gpus", "GPUs and MIG instances that have reported")
  .option(...onlyGpu)
  .addOption(onlyState())
  .action((options) => gpus(output(), options as object));
filtered("hosts", "hosts, with the number of their active GPUs")
  .addOption(onlyState())
  .action((options) => hosts(output(), options as object));
addClusters(program, output);
filtered("latest", "newest record of each GPU and MIG instance")
  .option(...onlyGpu)
  .option(...metricNames)
  .action((options) => latest(output(), options as object));
filtered("history", "records of a range of time, oldest first; the newest 100, or --limit, of them")
  .option(...onlyGpu)
  .option("--start <time>", `only records at or after this time; ${rfc3339}`)
  .option("--end <time>", "only records at or before this time")
  .option(...metricNames)
  .addOption(
    new Option("--resolution <span>", "every record, or averages over minutes, hours or days").choices([
      "raw",
      "1m",
      "1h",
      "1d",
      "auto",
    ]),
  )
  .action((options) => history(output(), options as object));
program
  .command("coverage")
  .description(
    "how many readings were expected and received in each hour, and why the others are missing; of this hour and the last",
  )
  .addOption(new Option("--by <group>", "a row for each of these").choices(["device", "host", "cluster", "target"]))
  .addOption(new Option("--step <span>", "rows by hour, or for the whole range").choices(["hour", "total"]))
  .option(...onlyGpu)
  .option(...onlyInstances)
  .option("--cluster <id>", "only of this cluster")
  .option("--host <hostname>", "only of this host")
  .option("--model <name>", "only GPUs of this model")
  .option("--start <time>", `from the hour that has this time; ${rfc3339}`)
  .option("--end <time>", "up to the hour that has this time, or up to the beginning of an hour")
  .option("--limit <count>", "maximum number of rows", parseCount)
  .action((options) => coverage(output(), options as object));
addExport(program, output, rfc3339);
addImport(program, output);
addArchive(program, output, rfc3339);
addAggregates(program, output, { count: parseCount, time: rfc3339 });
addUploads(program, output, parseCount);
addUsage(program, output, parseCount);
addInventory(program, output, parseCount);
program
  .command("changes")
  .description("places, attributes and workloads of a GPU, and when they changed")
  .requiredOption("--gpu <uuid>", "the GPU or MIG instance")
  .option("--start <time>", `its state at this time (marked as such), and later changes; ${rfc3339}`)
  .option("--end <time>", "only changes at or before this time")
  .action((options) => changes(output(), options as { gpu: string }));
filtered("series", "labelled series, and metrics outside the catalogue, that the newest records have")
  .option(...onlyGpu)
  .option("--metric <name>", "only series of this metric")
  .action((options) => series(output(), options as object));
program
  .command("watch")
  .description("newest records as they arrive, or changes of faults, until Ctrl-C")
  .option(...onlyGpu)
  .option("--cluster <id>", "only of this cluster")
  .option("--host <hostname>", "only of this host")
  .option("--namespace <name>", "only GPUs that this namespace holds")
  .option(...onlyInstances)
  .option(...metricNames)
  .option("--faults", "changes of faults instead of records; with --since those after a number, too")
  .option("--severity <names>", "with --faults: only of these severities, with commas between them")
  .option("--state <names>", "with --faults: only changes to these states, such as firing,resolved")
  .option("--since <sequence>", "with --faults: the last change that is known", parseSequence)
  .option("--count <lines>", "end after this number of records or changes", parseCount)
  .action((options: { readonly faults?: true; readonly count?: number }) =>
    (options.faults === true ? watchFaults : watch)(output(), options),
  );
addTop(program, output, parseCount);
addFaults(program, output, parseCount);
program
  .command("services")
  .description("running processes of the pipeline, with their state and load")
  .option("--role <name>", "only processes with this role")
  .action((options) => services(output(), options as object));
program
  .command("targets")
  .description("exporters that the pipeline scrapes: dialect, age, gaps and last error of each")
  .option("--state <name>", "only targets in this state: up, down or waiting")
  .option("--kind <name>", "only live sources of this kind: exporter, nvidia_smi or simulated")
  .option("--cluster <id>", "only of this cluster")
  .action((options) => targets(output(), options as object));
program
  .command("queue")
  .description("state of the queue and the services, and counts of rejected inputs and conflicting values")
  .action(() => queue(output()));
program
  .command("scaling")
  .description("decided and actual numbers of processes, and the decisions with their reasons")
  .option("--limit <count>", "maximum number of decisions that changed a number (10)", parseCount)
  .action((options) => scaling(output(), options as object));
const rejected = program
  .command("rejections")
  .alias("quarantine")
  .description("rejected inputs, newest first, each with its place and the reason")
  .option("--source <id>", "only of this source: a file, such as csv:fleet.csv, an upload, or all pushes of a key")
  .option("--push <id>", "only of this push: the push_id of its answer")
  .option("--limit <count>", "maximum number of rows", parseCount)
  .action((options) => rejections(output(), options as object));
rejected
  .command("redrive")
  .description("try a rejected row of a file again, with the rules of this version")
  .argument("<id>", "its number", parseSequence)
  .action((id: number) => redriveRejection(output(), id));
rejected
  .command("delete")
  .description("delete a rejected input")
  .argument("<id>", "its number", parseSequence)
  .action((id: number) => deleteRejection(output(), id));
const letters = program
  .command("dead-letters")
  .description("dead letters")
  .option("--limit <count>", "maximum number of rows", parseCount)
  .action((options) => deadLetters(output(), options as object));
letters
  .command("redrive <id>")
  .description("deliver a dead letter again")
  .action((id: string) => redriveLetter(output(), id));
letters
  .command("delete <id>")
  .description("delete a dead letter")
  .action((id: string) => deleteLetter(output(), id));

const keys = program
  .command("keys")
  .description("keys for the API; a gateway's own answer needs a key with the scope admin");
/** Adds a command that makes a key. */
function making(name: string, description: string): Command {
  return keys
    .command(name)
    .description(description)
    .requiredOption("--name <text>", "what the key is for")
    .requiredOption("--scopes <names>", "what the key may do: read, write, operate, admin, with commas between them")
    .option("--clusters <names>", "the key sees only these clusters, with commas between them")
    .option("--hosts <names>", "the key sees only these hosts")
    .option("--namespaces <names>", "the key sees only GPUs that these Kubernetes namespaces hold")
    .option("--expires <time>", "when the key ends; RFC 3339 with zone, or +30d");
}
making("create", "create a key, and print it; it is shown only now")
  .option("--direct", "store it in DATABASE_URL or DATA_DIR without a gateway; for the first key", false)
  .action((options: KeyOptions) => createKey(output(), options));
making("make", "make a key and its line for AUTH_KEYS_FILE; store nothing").action((options: KeyOptions) =>
  makeKey(output(), options),
);
keys
  .command("list")
  .description("stored keys, newest first, without their secrets")
  .option("--limit <count>", "maximum number of rows", parseCount)
  .action((options) => listKeys(output(), options as object));
keys
  .command("revoke <id>")
  .description("end a key everywhere within 5 s, with the connections that it has open")
  .action((id: string) => revokeKey(output(), id));
keys
  .command("rotate <id>")
  .description("replace a key by a new one, and print that; the old one ends after the overlap")
  .option("--overlap <seconds>", "how long the old key stays valid (3600)", parseSeconds)
  .action((id: string, options: { overlap?: number }) => rotateKey(output(), id, options));

program
  .command("whoami")
  .description("the key or the person whom the gateway takes this command for, and what it may do")
  .action(() => whoAmI(output()));
const sessions = program
  .command("sessions")
  .description("people who are signed in; this needs a key with the scope admin");
sessions
  .command("list")
  .description("their sessions, newest first")
  .option("--limit <count>", "maximum number of rows", parseCount)
  .action((options) => listSessions(output(), options as object));
sessions
  .command("end <id>")
  .description("end a session everywhere within 5 s, with the connections that it has open")
  .action((id: string) => endSession(output(), id));

addMcp(program, output);
addCompletions(program);

// the reader of a pipe, such as head, has closed it
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  if (process.argv.length === 2) program.outputHelp();
  else await program.parseAsync();
} catch (error) {
  const expected = [GatewayError, GatewayUnreachable, SubscriptionRefused, TelemetryError, UsageError];
  if (!expected.some((each) => error instanceof each)) throw error;
  const { message } = error as Error;
  const isUnreachable = error instanceof GatewayUnreachable;
  const hint = unreachableHint(program.opts<{ url: string }>().url, message);
  printError(isUnreachable ? withoutRefusal(message) + hint : message);
  process.exitCode = isUnreachable ? 2 : 1;
}
