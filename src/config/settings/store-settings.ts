import { Type } from "@sinclair/typebox";
import { gpuPricePattern } from "../../domain/usage/prices.ts";
import { count, path, percent, retentionDays } from "../config-setting.ts";

/** The settings of the store, and of how long it keeps data. */
export const storeSettings = {
  dataDir: Type.String({
    env: "DATA_DIR",
    default: "./data",
    minLength: 1,
    description: "Directory of the embedded store",
  }),
  dataMaxGibibytes: Type.Optional(
    Type.Number({
      env: "DATA_MAX_GIB",
      minimum: 0,
      maximum: 1_048_576,
      unit: "GiB",
      description:
        "The most that the files of the embedded store may take; the oldest history is deleted to stay below; a new store needs about 0.16; 0: no limit; absent: 10, or what the store of an earlier version takes already",
    }),
  ),
  databaseUrl: Type.Optional(
    Type.String({
      env: "DATABASE_URL",
      pattern: "^postgres(ql)?://.+",
      expects:
        "a URL that begins with postgres:// or postgresql://, such as postgres://user:password@db:5432/telemetry",
      secret: true,
      description:
        "PostgreSQL or TimescaleDB, postgres://user:password@host:5432/database; sslmode as libpq has it; absent: embedded in DATA_DIR",
    }),
  ),
  databaseCaFile: path(
    "DATABASE_CA_FILE",
    "CA certificate (PEM) of PostgreSQL's server, like sslrootcert in DATABASE_URL; without sslmode there, it means verify-full",
  ),
  migrateOnStart: Type.Boolean({
    env: "MIGRATE_ON_START",
    default: true,
    description: "Bring the schema of the database at DATABASE_URL up to date before starting",
  }),
  queryTimeoutSeconds: count({
    env: "QUERY_TIMEOUT_SECONDS",
    default: 10,
    minimum: 1,
    maximum: 3600,
    unit: "s",
    description:
      "Time that the database may take for a statement of a query; the embedded store ends one that takes longer together with its process, which starts again within a second or so",
  }),
  maxHeavyQueries: count({
    env: "MAX_HEAVY_QUERIES",
    default: 4,
    minimum: 1,
    maximum: 100,
    unit: "queries",
    description:
      "Heavy questions of clients (aggregates, coverage, counts, history of many GPUs) that a gateway asks the database at a time, each over a connection of its own; light ones have 3 more connections; the embedded store answers one heavy question at a time",
  }),
  inventoryFile: path(
    "INVENTORY_FILE",
    "CSV of the hosts and devices that ought to report (hostname, uuid or gpus, cluster), read by collectors again when it changes",
  ),
  settleHistory: Type.Boolean({
    env: "SETTLE_HISTORY",
    default: true,
    description:
      "Move the records of past hours from rows into blocks, which take a fifteenth of the space; without it, what is in blocks stays there and is read as before",
  }),
  settleAfterMinutes: count({
    env: "SETTLE_AFTER_MINUTES",
    default: 15,
    minimum: 0,
    maximum: 10_080,
    unit: "minutes",
    description:
      "How long an hour must be over before its records are moved into blocks, and below 10 also how long no record may have come for it, otherwise 10; records that come later are merged, at the cost of moving the hour again",
  }),
  retentionRawDays: retentionDays("RETENTION_RAW_DAYS", "records"),
  retention1mDays: count({
    env: "RETENTION_1M_DAYS",
    default: 0,
    minimum: 0,
    maximum: 36_500,
    unit: "days",
    description: "Of earlier versions, without effect: rollups by minute are made from the records",
  }),
  retention1hDays: retentionDays("RETENTION_1H_DAYS", "rollups by hour"),
  usageRetentionDays: count({
    env: "USAGE_RETENTION_DAYS",
    default: 400,
    minimum: 0,
    maximum: 36_500,
    unit: "days",
    description: "Age at which the usage of devices by hour is deleted, at least RETENTION_RAW_DAYS; 0: never",
  }),
  usageActivePercent: percent({
    env: "USAGE_ACTIVE_PERCENT",
    description: "GPU utilization from which on a device that is held counts as active; below, it is idle",
  }),
  gpuPricePerHour: Type.Optional(
    Type.String({
      env: "GPU_PRICE_PER_HOUR",
      pattern: gpuPricePattern,
      expects:
        "a number such as 2.5, or one for each model with * for the others, such as NVIDIA H100 80GB HBM3=2.5; *=1",
      description: "Price of a GPU for an hour, so that usage has the cost of what is held and idle; absent: no cost",
    }),
  ),
  energyPricePerKwh: Type.Number({
    env: "ENERGY_PRICE_PER_KWH",
    default: 0,
    minimum: 0,
    maximum: 1_000_000,
    unit: "per kWh",
    description: "Price of energy, which is added to that of the GPUs; 0: it is included there",
  }),
  currency: Type.String({
    env: "CURRENCY",
    default: "EUR",
    pattern: "^[A-Z]{3}$",
    expects: "three capital letters, such as EUR or USD",
    description: "Currency of the prices, shown with costs",
  }),
  usageEffectivePercent: percent({
    env: "USAGE_EFFECTIVE_PERCENT",
    description:
      "Tensor activity, or without it SM activity, from which on a device that is held counts as used effectively",
  }),
};
