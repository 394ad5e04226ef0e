import { Type } from "@sinclair/typebox";

/** The parts that a process can run. */
export const roles = ["streamer", "collector", "gateway"] as const;
export type Role = (typeof roles)[number];

/** How a setting is written in the environment, beside what TypeBox checks of its value. */
export interface EnvironmentNotes {
  readonly env: string;
  readonly description: string;
  /** `duration`: written `2s`, `500ms`, `5m`, `1h`; held in milliseconds. `roles`: `all` or a comma list. `list`: a
   *  comma list. */
  readonly form?: "duration" | "roles" | "list";
  readonly unit?: string;
  /** Hidden wherever the configuration is shown; `{env}_FILE` may name a file that holds it. */
  readonly secret?: boolean;
}

const duration = (notes: EnvironmentNotes & { default: number; minimum?: number; maximum?: number }) =>
  Type.Integer({ minimum: 0, maximum: 86_400_000, ...notes, form: "duration" });

const count = (notes: EnvironmentNotes & { default: number; minimum: number; maximum: number }) =>
  Type.Integer({ ...notes });

/** Absent or 0: nothing is deleted. */
const retentionDays = (env: string, what: string) =>
  count({
    env,
    default: 0,
    minimum: 0,
    maximum: 36_500,
    unit: "days",
    description: `Age at which ${what} are deleted; 0: never`,
  });

const path = (env: string, description: string) => Type.Optional(Type.String({ env, minLength: 1, description }));

/** The schema of the environment: the one place a setting is declared. */
export const configSchema = Type.Object({
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
    description: "Input rows that one message carries; more where a file's next rows are of the same instant",
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
  sourceRangeMebibytes: count({
    env: "SOURCE_RANGE_MIB",
    default: 16,
    minimum: 1,
    maximum: 65_536,
    unit: "MiB",
    description: "About how much of a file a streamer claims at a time, where several share it through etcd",
  }),
  etcdEndpoints: Type.Optional(
    Type.Array(Type.String({ pattern: "^https?://[^/,@\\s]+:\\d+$" }), {
      env: "ETCD_ENDPOINTS",
      form: "list",
      minItems: 1,
      description: "URLs of etcd's members, http://host:2379 each; absent: the queue is in this process's memory",
    }),
  ),
  etcdCaFile: path("ETCD_CA_FILE", "Certificate (PEM) of the authority that signed etcd's; for https endpoints"),
  etcdCertFile: path("ETCD_CERT_FILE", "Client certificate (PEM) for etcd"),
  etcdKeyFile: path("ETCD_KEY_FILE", "Private key (PEM) of the client certificate"),
  etcdUsername: Type.Optional(Type.String({ env: "ETCD_USERNAME", minLength: 1, description: "User at etcd" })),
  etcdPassword: Type.Optional(
    Type.String({ env: "ETCD_PASSWORD", minLength: 1, secret: true, description: "Password of the user at etcd" }),
  ),
  etcdCompactSeconds: count({
    env: "ETCD_COMPACT_SECONDS",
    default: 30,
    minimum: 0,
    maximum: 86_400,
    unit: "s",
    description: "History that etcd keeps, compacted by one of the collectors; 0: left to etcd's own auto-compaction",
  }),
  databaseUrl: Type.Optional(
    Type.String({
      env: "DATABASE_URL",
      pattern: "^postgres(ql)?://.+",
      secret: true,
      description:
        "PostgreSQL or TimescaleDB, postgres://user:password@host:5432/database; absent: embedded in DATA_DIR",
    }),
  ),
  migrateOnStart: Type.Boolean({
    env: "MIGRATE_ON_START",
    default: true,
    description: "Bring the database's schema up to date before starting",
  }),
  queryTimeoutSeconds: count({
    env: "QUERY_TIMEOUT_SECONDS",
    default: 10,
    minimum: 1,
    maximum: 3600,
    unit: "s",
    description: "Time that the database may take to answer a query; not with the embedded store",
  }),
  httpRateLimitPerSecond: count({
    env: "HTTP_RATE_LIMIT_PER_SECOND",
    default: 0,
    minimum: 0,
    maximum: 1_000_000,
    unit: "requests/s",
    description: "Most requests that one client address may make of a gateway a second; 0: no limit",
  }),
  httpTrustForwardedFor: Type.Boolean({
    env: "HTTP_TRUST_FORWARDED_FOR",
    default: false,
    description:
      "Take the last address of X-Forwarded-For for the client's; behind a proxy that sets it, and only there",
  }),
  corsOrigins: Type.Optional(
    Type.Array(Type.String({ pattern: "^(\\*|https?://[^/\\s]+)$" }), {
      env: "CORS_ORIGINS",
      form: "list",
      minItems: 1,
      description: "Origins whose pages may read from a gateway, https://host each, or *; absent: none but its own",
    }),
  ),
  retentionRawDays: retentionDays("RETENTION_RAW_DAYS", "records"),
  retention1mDays: retentionDays("RETENTION_1M_DAYS", "rollups a minute (where the database keeps them)"),
  retention1hDays: retentionDays("RETENTION_1H_DAYS", "rollups an hour (where the database keeps them)"),
  queueTopic: Type.String({
    env: "QUEUE_TOPIC",
    default: "telemetry",
    pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
    description: "Name of the queue in etcd",
  }),
  queueLowMarkPercent: count({
    env: "QUEUE_LOW_MARK_PERCENT",
    default: 50,
    minimum: 0,
    maximum: 100,
    unit: "% of the capacity",
    description: "Depth from which streamers slow down",
  }),
  queueHighMarkPercent: count({
    env: "QUEUE_HIGH_MARK_PERCENT",
    default: 90,
    minimum: 1,
    maximum: 100,
    unit: "% of the capacity",
    description: "Depth at which streamers are at their slowest; they stop at the capacity",
  }),
  queueCapacityMessages: count({
    env: "QUEUE_CAPACITY_MESSAGES",
    default: 500,
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
  hotWindowSeconds: count({
    env: "HOT_WINDOW_SECONDS",
    default: 60,
    minimum: 5,
    maximum: 3600,
    unit: "s",
    description: "Time that newest records stay in etcd for gateways that start; hosts and GPUs stay",
  }),
  collectorWorkers: count({
    env: "COLLECTOR_WORKERS",
    default: 8,
    minimum: 1,
    maximum: 256,
    description: "Messages that a collector works on at a time",
  }),
});
