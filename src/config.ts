import { readFileSync } from "node:fs";
import { Kind, type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { InvalidConfig } from "./domain/errors.ts";

/** The parts that a process can run. */
const roles = ["streamer", "collector", "gateway"] as const;
export type Role = (typeof roles)[number];

/** How a setting is written in the environment, beside what TypeBox checks of its value. */
interface EnvironmentNotes {
  readonly env: string;
  readonly description: string;
  /** `duration`: written `2s`, `500ms`, `5m`, `1h`; held in milliseconds. `roles`: `all` or a comma list. */
  readonly form?: "duration" | "roles";
  readonly unit?: string;
  /** Hidden wherever the configuration is shown; `{env}_FILE` may name a file that holds it. */
  readonly secret?: boolean;
}

const duration = (notes: EnvironmentNotes & { default: number; minimum?: number; maximum?: number }) =>
  Type.Integer({ minimum: 0, maximum: 86_400_000, ...notes, form: "duration" });

const count = (notes: EnvironmentNotes & { default: number; minimum: number; maximum: number }) =>
  Type.Integer({ ...notes });

/** The schema of the environment: the one place a setting is declared. */
const configSchema = Type.Object({
  roles: Type.Array(Type.Union(roles.map((role) => Type.Literal(role))), {
    env: "ROLE",
    form: "roles",
    default: [...roles],
    minItems: 1,
    description: `Parts this process runs: all, or a comma list of ${roles.join(", ")}`,
  }),
  host: Type.String({
    env: "HOST",
    default: "127.0.0.1",
    minLength: 1,
    description: "Address to listen on; 0.0.0.0 opens the port to the network",
  }),
  port: count({
    env: "PORT",
    default: 8080,
    minimum: 0,
    maximum: 65_535,
    description: "Port to listen on; 0 takes a free one",
  }),
  clusterId: Type.String({
    env: "CLUSTER_ID",
    default: "local-cluster",
    pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
    description: "Cluster that the input belongs to: letters, digits, dot, underscore and dash",
  }),
  dataDir: Type.String({
    env: "DATA_DIR",
    default: "./data",
    minLength: 1,
    description: "Directory of the embedded store",
  }),
  logLevel: Type.Union(
    (["fatal", "error", "warn", "info", "debug", "trace"] as const).map((level) => Type.Literal(level)),
    { env: "LOG_LEVEL", default: "info", description: "Least severe level that is logged" },
  ),
  shutdownTimeoutSeconds: count({
    env: "SHUTDOWN_TIMEOUT_SECONDS",
    default: 30,
    minimum: 1,
    maximum: 3600,
    unit: "s",
    description: "Time for draining and closing after SIGINT or SIGTERM",
  }),
  csvFile: Type.Optional(
    Type.String({ env: "CSV_FILE", minLength: 1, description: "CSV file to stream; absent: the simulated fleet" }),
  ),
  batchSize: count({
    env: "BATCH_SIZE",
    default: 5000,
    minimum: 1,
    maximum: 50_000,
    unit: "rows",
    description: "Input rows that one message carries",
  }),
  streamIntervalMs: duration({
    env: "STREAM_INTERVAL",
    default: 0,
    description: "Pause between two batches of a file",
  }),
  loopMode: Type.Boolean({ env: "LOOP_MODE", default: false, description: "Play the file again and again" }),
  timestamps: Type.Optional(
    Type.Union([Type.Literal("original"), Type.Literal("now")], {
      env: "TIMESTAMPS",
      description: "original: the file's own times; now: shifted so that it plays as if live (default with LOOP_MODE)",
    }),
  ),
  rateLimitSamplesPerSecond: count({
    env: "RATE_LIMIT_SAMPLES_PER_SECOND",
    default: 0,
    minimum: 0,
    maximum: 100_000_000,
    unit: "samples/s",
    description: "Most samples that a streamer publishes a second; 0: no limit",
  }),
  simHosts: count({
    env: "SIM_HOSTS",
    default: 4,
    minimum: 1,
    maximum: 20_000,
    description: "Hosts of the simulated fleet",
  }),
  simGpusPerHost: count({
    env: "SIM_GPUS_PER_HOST",
    default: 8,
    minimum: 1,
    maximum: 16,
    description: "GPUs on each simulated host",
  }),
  simIntervalMs: duration({
    env: "SIM_INTERVAL",
    default: 1000,
    minimum: 100,
    description: "Time between two readings of a simulated GPU",
  }),
  simSeed: count({
    env: "SIM_SEED",
    default: 1,
    minimum: 0,
    maximum: 4_294_967_295,
    description: "Same seed, same fleet",
  }),
  queueCapacityMessages: count({
    env: "QUEUE_CAPACITY_MESSAGES",
    default: 200,
    minimum: 1,
    maximum: 100_000,
    unit: "messages",
    description: "Messages that the queue holds; a full queue makes the streamer wait",
  }),
  queueLeaseSeconds: count({
    env: "QUEUE_LEASE_SECONDS",
    default: 30,
    minimum: 2,
    maximum: 3600,
    unit: "s",
    description: "Time after which a silent collector's message goes to another",
  }),
  queueMaxAttempts: count({
    env: "QUEUE_MAX_ATTEMPTS",
    default: 5,
    minimum: 1,
    maximum: 100,
    description: "Deliveries after which a message is given up and kept as a dead letter",
  }),
  collectorWorkers: count({
    env: "COLLECTOR_WORKERS",
    default: 8,
    minimum: 1,
    maximum: 256,
    description: "Messages that a collector works on at a time",
  }),
});

/** The checked configuration. Times are in the unit of their name. */
export type Config = Static<typeof configSchema>;

interface Setting {
  readonly key: string;
  readonly schema: TSchema & EnvironmentNotes;
}

const settings: readonly Setting[] = Object.entries(configSchema.properties).map(([key, schema]) => ({
  key,
  schema: schema as unknown as Setting["schema"],
}));

/** Reads the configuration from an environment.
 *  @throws InvalidConfig with every fault, each naming variable, value and what would be right */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const { key, schema } of settings) {
    const text = textOf(schema, env, faults);
    const value = text === undefined ? (structuredClone(schema.default) as unknown) : fromText(schema, text);
    if (value === undefined) continue;
    if (value === notWritable || !Value.Check(schema, value)) faults.push(faultOf(schema, text ?? ""));
    else values[key] = value;
  }
  const config = values as Config;
  if (faults.length === 0) faults.push(...contradictions(config));
  if (faults.length > 0) throw new InvalidConfig(faults);
  return config;
}

/** One row of the effective configuration, for people. */
export interface ConfigRow {
  readonly env: string;
  readonly value: string;
  readonly default: string;
  readonly type: string;
  readonly description: string;
}

/** @returns every setting as it is in force, in the order of the schema; secrets hidden */
export function configRows(config: Config): ConfigRow[] {
  return settings.map(({ key, schema }) => ({
    env: schema.env,
    value: schema.secret ? "(hidden)" : toText(schema, (config as Record<string, unknown>)[key]),
    default: toText(schema, schema.default),
    type: typeText(schema),
    description: schema.description,
  }));
}

/** What is right one by one and wrong together. */
function contradictions(config: Config): string[] {
  const faults: string[] = [];
  if (config.roles.includes("streamer") !== config.roles.includes("collector")) {
    faults.push(
      `ROLE=${config.roles.join(",")}: streamer and collector share a queue in memory and must run in one process; use ROLE=all, ROLE=streamer,collector or ROLE=gateway`,
    );
  }
  if (config.loopMode && config.csvFile === undefined)
    faults.push("LOOP_MODE=true needs CSV_FILE: there is no file to play again");
  if (config.timestamps !== undefined && config.csvFile === undefined) {
    faults.push(`TIMESTAMPS=${config.timestamps} needs CSV_FILE: the simulated fleet always stamps the present`);
  }
  return faults;
}

const notWritable = Symbol("text that does not fit the setting's form");

function textOf(schema: EnvironmentNotes, env: Readonly<Record<string, string | undefined>>, faults: string[]) {
  const text = env[schema.env];
  const file = schema.secret ? env[`${schema.env}_FILE`] : undefined;
  if (text !== undefined && text !== "") return text.trim();
  if (file === undefined || file === "") return undefined;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    faults.push(`${schema.env}_FILE=${file} cannot be read: ${(cause as Error).message}`);
    return undefined;
  }
}

const millisecondsPerUnit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** @returns the value that the text means, or `notWritable` */
function fromText(schema: Setting["schema"], text: string): unknown {
  if (schema.form === "roles") return text === "all" ? [...roles] : text.split(",").map((part) => part.trim());
  if (schema.form === "duration") {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
    return match ? Math.round(Number(match[1]) * millisecondsPerUnit[match[2] as "ms"]) : notWritable;
  }
  switch (schema[Kind]) {
    case "Integer":
      return /^-?\d+$/.test(text) ? Number(text) : notWritable;
    case "Boolean":
      return { true: true, "1": true, false: false, "0": false }[text.toLowerCase()] ?? notWritable;
    default:
      return text;
  }
}

function toText(schema: Setting["schema"], value: unknown): string {
  if (value === undefined) return "";
  if (Array.isArray(value)) return value.join(",");
  return `${value as string | number | boolean}${schema.form === "duration" ? "ms" : ""}`;
}

function faultOf(schema: Setting["schema"], text: string): string {
  const shown = schema.secret ? "(hidden)" : text;
  return `${schema.env}=${shown} is not usable: expected ${typeText(schema)} (${schema.description})`;
}

/** What may be written, in words. */
function typeText(schema: Setting["schema"]): string {
  const unit = schema.unit === undefined ? "" : ` ${schema.unit}`;
  if (schema.form === "roles") return `all or a list of ${roles.join(",")}`;
  if (schema.form === "duration") {
    return `a time with its unit (ms, s, m, h) from ${String(schema.minimum)}ms to ${String(schema.maximum)}ms`;
  }
  switch (schema[Kind]) {
    case "Integer":
      return `a whole number from ${String(schema.minimum)} to ${String(schema.maximum)}${unit}`;
    case "Boolean":
      return "true or false";
    case "Union":
      return `one of ${(schema.anyOf as { const: string }[]).map((member) => member.const).join(", ")}`;
    default:
      return schema.pattern === undefined ? "text" : `text that matches ${String(schema.pattern)}`;
  }
}
