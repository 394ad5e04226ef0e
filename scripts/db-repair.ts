import { parseArgs } from "node:util";
import { parseConfig } from "../src/config/parse-config.ts";
import { mayHaveDatabase } from "../src/db/data-dir.ts";
import { SchemaBehind, TelemetryError } from "../src/domain/errors.ts";
import { dayOf, hourMs } from "../src/domain/time-range.ts";
import { formatTimestamp, readInstant } from "../src/domain/timestamp.ts";
import type { OpenStore } from "../src/pipeline/store/open-store.ts";
import { abandonHour, type Fault, findDamage, rebuildRollups } from "../src/pipeline/store/sql/history-repair.ts";
import { openPGliteStore } from "../src/pipeline/store/sql/open-pglite-store.ts";
import { openPostgresStore } from "../src/pipeline/store/sql/open-postgres-store.ts";
import {
  findUsageDamage,
  findUsageDayDamage,
  rebuildDay,
  rebuildUsage,
  type UsageFault,
} from "../src/pipeline/store/sql/usage/usage-repair.ts";
import type { UsageThresholds } from "../src/domain/usage/usage-hour.ts";
import { answersHelp } from "../src/terminal/answers-help.ts";
import { print, printError } from "../src/terminal/print.ts";

const usage = `Finds settled history that is damaged, and repairs what can be repaired.
  bun run db:repair                                         names what cannot be read; reads everything
  bun run db:repair abandon --gpu-key KEY --from INSTANT    abandons what cannot be read of a GPU's hour
  bun run db:repair rebuild --from INSTANT                  makes damaged or missing rollups and usage of an hour again, from its blocks
  bun run db:repair rebuild-day --from INSTANT              makes a day of usage again from its hours

  --gpu-key KEY    as the message about the block says
  --from INSTANT   the same: an instant in the hour (UTC), such as 2025-07-18T20:00:01.000Z

DATABASE_URL says which database; the pipeline may run meanwhile. Without it, it is the store in DATA_DIR, which no pipeline may use
meanwhile. \`rebuild\` makes the usage of the hour again, too, by USAGE_ACTIVE_PERCENT and USAGE_EFFECTIVE_PERCENT: set them as for the
pipeline. Exits with 1 if something is damaged or cannot be done, with 2 if there is no store of this version.`;

/** DATA_DIR has no store. */
class NoStore extends Error {}

async function open(): Promise<OpenStore> {
  const { databaseUrl: url, dataDir, dataMaxGibibytes: maxGibibytes } = parseConfig(process.env);
  if (url !== undefined) return openPostgresStore({ url, migrate: false, maxConnections: 1 });
  if (await mayHaveDatabase(dataDir)) return openPGliteStore({ dataDir, maxGibibytes });
  throw new NoStore(
    `there is no store in DATA_DIR ${dataDir}: set DATA_DIR to the folder of the pipeline, or DATABASE_URL to its database`,
  );
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

async function* allDamage(client: OpenStore["client"]): AsyncGenerator<Fault | UsageFault, void, undefined> {
  // blocks can be abandoned, and days be added up, when the usage of hours can be read
  yield* findUsageDamage(client, thresholds());
  yield* findDamage(client);
  yield* findUsageDayDamage(client, thresholds());
}

/** The settings of the pipeline. */
function thresholds(): UsageThresholds {
  const { usageActivePercent: activePercent, usageEffectivePercent: effectivePercent } = parseConfig(process.env);
  return { activePercent, effectivePercent };
}

/** The command that repairs what is damaged; undefined if nothing does. */
function commandOf({ repair }: Fault | UsageFault): string | undefined {
  if (repair === undefined) return undefined;
  const which = repair.kind === "abandon" ? ` --gpu-key ${repair.gpuKey}` : "";
  return `bun run db:repair ${repair.kind}${which} --from ${new Date(repair.hour).toISOString()}`;
}

/** Names what is damaged, each with the command that repairs it. @returns true if nothing is */
async function list({ client }: OpenStore): Promise<boolean> {
  let faults = 0;
  let last: string | undefined;
  for await (const fault of allDamage(client)) {
    print(fault.problem);
    const command = commandOf(fault);
    // it repairs all of the hour, so it is to be run once
    if (command !== undefined && command !== last) print(`  ${command}`);
    last = command;
    faults += 1;
  }
  print(
    faults === 0
      ? "all settled history can be read"
      : `${faults} fault(s): restore a backup, or run these commands, in this order and with the same settings`,
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
  // storing rollups needs usage that can be read
  const settings = thresholds();
  const usageOfHour = await rebuildUsage(client, hour, settings);
  const { damaged, gpus, unreadable } = await rebuildRollups(client, hour, settings);
  print(`${damaged} damaged row(s) of rollups were deleted, and the rollups of ${gpus} GPU(s) were made again`);
  if (usageOfHour.damaged + usageOfHour.gpus > 0) {
    print(
      `${usageOfHour.damaged} damaged row(s) of usage were deleted, and the usage of ${usageOfHour.gpus} GPU(s) was made again; questions read the hours of their day until collectors, which look every 10 minutes, or rebuild-day have made it again`,
    );
  }
  for (const reason of unreadable) print(`${reason}; abandon it, or restore a backup`);
  return unreadable.length === 0;
}

async function makeDayAgain({ client }: OpenStore, day: number): Promise<boolean> {
  const name = `the day of usage from ${formatTimestamp(day)}`;
  const said = {
    made: "was made again from its hours",
    right: "is the sum of its hours: nothing was changed",
    later: "waits: its hours, or the one after it, are not all settled; questions read them until collectors add it up",
  };
  print(`${name} ${said[await rebuildDay(client, day, thresholds())]}`);
  return true;
}

/** @returns what to do with the store @throws TypeError that says which argument is not usable */
function work(): (store: OpenStore) => Promise<boolean> {
  const options = { "gpu-key": { type: "string" }, from: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const [command, ...others] = positionals;
  if (others.length > 0) throw new TypeError(`unexpected argument: ${others.join(" ")}`);
  if (command === undefined) return list;
  if (command === "rebuild-day") {
    const day = dayOf(hourOf(values.from));
    return (store) => makeDayAgain(store, day);
  }
  if (command === "rebuild") {
    const hour = hourOf(values.from);
    return (store) => rebuild(store, hour);
  }
  if (command !== "abandon") throw new TypeError(`unknown command: ${command}`);
  const [gpuKey, hour] = [gpuKeyOf(values["gpu-key"]), hourOf(values.from)];
  return (store) => abandon(store, gpuKey, hour);
}

async function repair(): Promise<void> {
  if (answersHelp(process.argv.slice(2), usage)) return;
  const done = work();
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
  const isNoStore = error instanceof NoStore || error instanceof SchemaBehind;
  if (!(isNoStore || error instanceof TelemetryError || error instanceof TypeError)) throw error;
  printError(error.message);
  if (error instanceof TypeError) printError("bun run db:repair --help lists the arguments");
  process.exitCode = isNoStore ? 2 : 1;
}
