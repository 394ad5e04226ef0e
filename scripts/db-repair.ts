import { parseArgs } from "node:util";
import { parseConfig } from "../src/config/parse-config.ts";
import { TelemetryError } from "../src/domain/errors.ts";
import { hourMs } from "../src/domain/time-range.ts";
import { readInstant } from "../src/domain/timestamp.ts";
import type { OpenStore } from "../src/pipeline/store/open-store.ts";
import { findDamage, abandonHour, rebuildRollups } from "../src/pipeline/store/sql/history-repair.ts";
import { openPGliteStore } from "../src/pipeline/store/sql/open-pglite-store.ts";
import { openPostgresStore } from "../src/pipeline/store/sql/open-postgres-store.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Finds settled history that is damaged, and repairs what can be repaired.
  bun run db:repair                                         names what cannot be read; reads everything
  bun run db:repair abandon --gpu-key KEY --from INSTANT    abandons what cannot be read of a GPU's hour
  bun run db:repair rebuild --from INSTANT                  makes damaged or missing rollups of an hour again, from its blocks

  --gpu-key KEY    as the message about the block says
  --from INSTANT   the same: an instant in the hour (UTC), such as 2025-07-18T20:00:01.000Z

DATABASE_URL says which database; the pipeline may run meanwhile. Without it, it is the store in DATA_DIR, which no pipeline may use
meanwhile. Exits with 1 if something is damaged or cannot be done.`;

function open(): Promise<OpenStore> {
  const { databaseUrl: url, dataDir, dataMaxGibibytes: maxGibibytes } = parseConfig(process.env);
  return url === undefined
    ? openPGliteStore({ dataDir, maxGibibytes })
    : openPostgresStore({ url, migrate: false, maxConnections: 1 });
}

function hourOf(from: string | undefined): number {
  const instant = from === undefined ? { problem: "it is missing" } : readInstant(from);
  if ("problem" in instant) throw new TypeError(`--from: ${instant.problem}`);
  return Math.floor(instant.ms / hourMs) * hourMs;
}

function gpuKeyOf(key: string | undefined): number {
  if (key !== undefined && /^\d{16}$/.test(key)) return Number(key);
  throw new TypeError(`--gpu-key: expected the 16 digits of a gpu_key, not ${key ?? "nothing"}`);
}

/** Names what is damaged. @returns true if nothing is */
async function list({ client }: OpenStore): Promise<boolean> {
  let faults = 0;
  for await (const fault of findDamage(client)) {
    print(fault);
    faults += 1;
  }
  print(
    faults === 0 ? "all settled history can be read" : `${faults} fault(s); bun run db:repair --help says what to do`,
  );
  return faults === 0;
}

async function abandon({ client }: OpenStore, gpuKey: number, hour: number): Promise<boolean> {
  const { blocks, records, keptRecords } = await abandonHour(client, gpuKey, hour);
  const kept = keptRecords === 0 ? "no others are left in this hour" : `the other ${keptRecords} are settled again`;
  print(`${blocks} block(s) with ${records} record(s) were abandoned; ${kept}`);
  return true;
}

async function rebuild({ client }: OpenStore, hour: number): Promise<boolean> {
  const { damaged, gpus, unreadable } = await rebuildRollups(client, hour);
  print(`${damaged} damaged row(s) of rollups were deleted, and the rollups of ${gpus} GPU(s) were made again`);
  for (const reason of unreadable) print(`${reason}; abandon it, or restore a backup`);
  return unreadable.length === 0;
}

/** @returns what to do with the store; undefined for --help. @throws TypeError that says which argument is not usable */
function work(): ((store: OpenStore) => Promise<boolean>) | undefined {
  const options = {
    help: { type: "boolean", short: "h" },
    "gpu-key": { type: "string" },
    from: { type: "string" },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (values.help) return undefined;
  const [command, ...others] = positionals;
  if (others.length > 0) throw new TypeError(`unexpected argument: ${others.join(" ")}`);
  if (command === undefined) return list;
  if (command === "rebuild") {
    const hour = hourOf(values.from);
    return (store) => rebuild(store, hour);
  }
  if (command !== "abandon") throw new TypeError(`unknown command: ${command}`);
  const [gpuKey, hour] = [gpuKeyOf(values["gpu-key"]), hourOf(values.from)];
  return (store) => abandon(store, gpuKey, hour);
}

async function repair(): Promise<void> {
  const done = work();
  if (done === undefined) return print(usage);
  const store = await open();
  try {
    if (!(await done(store))) process.exitCode = 1;
  } finally {
    await store.close();
  }
}

try {
  await repair();
} catch (error) {
  if (!(error instanceof TelemetryError || error instanceof TypeError)) throw error;
  printError(error.message);
  if (error instanceof TypeError) printError("bun run db:repair --help lists the arguments");
  process.exitCode = 1;
}
