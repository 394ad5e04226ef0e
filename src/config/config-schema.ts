import { Type } from "@sinclair/typebox";
import { defaultClusterId, defaultTopic } from "../domain/default-names.ts";
import { count, duration, path, retentionDays } from "./config-setting.ts";

/** The roles that a process can run; src/roles/ has a file for each. */
export const roleNames = ["streamer", "collector", "gateway"] as const;
export type RoleName = (typeof roleNames)[number];

/** The schema of the environment variables. Every setting is declared here. */
export const configSchema = Type.Object({
  roles: Type.Array(Type.Union(roleNames.map((role) => Type.Literal(role))), {
    env: "ROLE",
    form: "roles",
    default: [...roleNames],
    minItems: 1,
    description: `Roles that this process runs: all, or a comma-separated list of ${roleNames.join(", ")}`,
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
    description: "Port to listen on; 0: any free port",
  }),
  clusterId: Type.String({
    env: "CLUSTER_ID",
    default: defaultClusterId,
    pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
    description: "Cluster that the input belongs to: letters, digits, dot, underscore and dash",
  }),
  graphqlIntrospection: Type.Boolean({
    env: "GRAPHQL_INTROSPECTION",
    default: true,
    description: "Whether /graphql answers introspection queries; GraphiQL needs them",
  }),
  graphiql: Type.Boolean({
    env: "GRAPHIQL",
    default: true,
    description: "Whether /graphql shows GraphiQL to browsers",
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
    description: "Time to finish work and close after SIGINT or SIGTERM",
  }),
  csvFile: Type.Optional(
    Type.String({ env: "CSV_FILE", minLength: 1, description: "CSV file to stream; absent: the simulated fleet" }),
  ),
  batchSize: count({
    env: "BATCH_SIZE",
    default: 5000,
    minimum: 1,
    maximum: 50_000,
    unit: "rows or samples",
    description:
      "Approximate size of a message: rows of a file (more if the next rows are of the same instant), or samples of the simulated fleet",
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
      description: "original: the file's own times; now: shifted, as if measured now (default with LOOP_MODE)",
    }),
  ),
  rateLimitSamplesPerSecond: count({
    env: "RATE_LIMIT_SAMPLES_PER_SECOND",
    default: 0,
    minimum: 0,
    maximum: 100_000_000,
    unit: "samples/s",
    description: "Maximum number of samples that a streamer publishes per second, on average; 0: no limit",
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
    description: "Seed of the simulated fleet: the same seed and settings give the same fleet",
  }),
  sourceRangeMebibytes: count({
    env: "SOURCE_RANGE_MIB",
    default: 16,
    minimum: 1,
    maximum: 65_536,
    unit: "MiB",
    description: "Approximate size of the range that a streamer claims, if several streamers share a file through etcd",
  }),
  etcdEndpoints: Type.Optional(
    Type.Array(Type.String({ pattern: "^https?://[^/,@\\s]+:\\d+$" }), {
      env: "ETCD_ENDPOINTS",
      form: "list",
      elements: "http://host:port or https://host:port",
      minItems: 1,
      description: "URLs of etcd's members, http://host:2379 each; absent: the queue and the hot tier are in memory",
    }),
  ),
  etcdCaFile: path("ETCD_CA_FILE", "CA certificate (PEM) of etcd's servers, for https; default: the system's CAs"),
  etcdCertFile: path("ETCD_CERT_FILE", "Client certificate (PEM) for etcd"),
  etcdKeyFile: path("ETCD_KEY_FILE", "Private key (PEM) of the client certificate"),
  etcdUsername: Type.Optional(Type.String({ env: "ETCD_USERNAME", minLength: 1, description: "User name for etcd" })),
  etcdPassword: Type.Optional(
    Type.String({ env: "ETCD_PASSWORD", minLength: 1, secret: true, description: "Password for etcd" }),
  ),
  etcdCompactSeconds: count({
    env: "ETCD_COMPACT_SECONDS",
    default: 30,
    minimum: 0,
    maximum: 86_400,
    unit: "s",
    description:
      "Time that etcd keeps old revisions before a process compacts them, unless etcd's database grows fast; 0: left to etcd's auto-compaction",
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
    description: "Bring the schema of the database at DATABASE_URL up to date before starting",
  }),
  queryTimeoutSeconds: count({
    env: "QUERY_TIMEOUT_SECONDS",
    default: 10,
    minimum: 1,
    maximum: 3600,
    unit: "s",
    description: "Time that the database may take to answer a query; the embedded store has no such limit",
  }),
  httpRateLimitPerSecond: count({
    env: "HTTP_RATE_LIMIT_PER_SECOND",
    default: 0,
    minimum: 0,
    maximum: 1_000_000,
    unit: "requests/s",
    description:
      "Maximum number of requests a second that a gateway accepts from one client address, not counting /health and /metrics; 0: no limit",
  }),
  httpTrustForwardedFor: Type.Boolean({
    env: "HTTP_TRUST_FORWARDED_FOR",
    default: false,
    description: "Take the client's address from the end of X-Forwarded-For; only behind a proxy that sets it",
  }),
  corsOrigins: Type.Optional(
    Type.Array(Type.String({ pattern: "^(\\*|https?://[^/\\s]+)$" }), {
      env: "CORS_ORIGINS",
      form: "list",
      elements: "http://host, https://host or *",
      minItems: 1,
      description: "Origins whose pages may read from a gateway, such as https://host, or *; absent: only its own",
    }),
  ),
  retentionRawDays: retentionDays("RETENTION_RAW_DAYS", "records"),
  retention1mDays: retentionDays("RETENTION_1M_DAYS", "rollups by minute (if the database keeps them)"),
  retention1hDays: retentionDays("RETENTION_1H_DAYS", "rollups by hour (if the database keeps them)"),
  queueTopic: Type.String({
    env: "QUEUE_TOPIC",
    default: defaultTopic,
    pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
    description: "Name of the pipeline in etcd: of its queue, checkpoints and hot tier",
  }),
  queueLowMarkPercent: count({
    env: "QUEUE_LOW_MARK_PERCENT",
    default: 50,
    minimum: 0,
    maximum: 100,
    unit: "% of the capacity",
    description: "Depth at which streamers begin to slow down",
  }),
  queueHighMarkPercent: count({
    env: "QUEUE_HIGH_MARK_PERCENT",
    default: 90,
    minimum: 1,
    maximum: 100,
    unit: "% of the capacity",
    description: "Depth at which streamers are slowest; at the capacity they wait",
  }),
  queueCapacityMessages: count({
    env: "QUEUE_CAPACITY_MESSAGES",
    default: 500,
    minimum: 1,
    maximum: 100_000,
    unit: "messages",
    description: "Messages that the queue can hold; a full queue makes streamers wait",
  }),
  queueLeaseSeconds: count({
    env: "QUEUE_LEASE_SECONDS",
    default: 30,
    minimum: 2,
    maximum: 3600,
    unit: "s",
    description: "Time after which other processes can claim the messages and ranges of a silent process",
  }),
  queueMaxAttempts: count({
    env: "QUEUE_MAX_ATTEMPTS",
    default: 5,
    minimum: 1,
    maximum: 100,
    description: "Deliveries after which a message becomes a dead letter",
  }),
  hotWindowSeconds: count({
    env: "HOT_WINDOW_SECONDS",
    default: 60,
    minimum: 5,
    maximum: 3600,
    unit: "s",
    description: "Minimum time that newest records stay in etcd, unless a collector has over 64 MiB of them",
  }),
  collectorWorkers: count({
    env: "COLLECTOR_WORKERS",
    default: 8,
    minimum: 1,
    maximum: 256,
    description: "Messages that a collector stores at a time",
  }),
  wsMaxConnections: count({
    env: "WS_MAX_CONNECTIONS",
    default: 10_000,
    minimum: 1,
    maximum: 1_000_000,
    description: "Maximum number of WebSockets that a gateway accepts, counted separately for /ws and /graphql",
  }),
  wsMaxSubscriptions: count({
    env: "WS_MAX_SUBSCRIPTIONS",
    default: 100,
    minimum: 1,
    maximum: 10_000,
    description: "Maximum number of subscriptions of one connection to /ws",
  }),
  wsStallTimeoutMs: duration({
    env: "WS_STALL_TIMEOUT",
    default: 30_000,
    minimum: 100,
    description: "Time after which a client of /ws that reads nothing while messages wait is disconnected",
  }),
  wsIdleTimeoutMs: duration({
    env: "WS_IDLE_TIMEOUT",
    default: 60_000,
    minimum: 8000,
    maximum: 960_000,
    description: "Time after which a client of /ws that sends nothing, not even pongs, is disconnected",
  }),
  wsReplayMaxRecords: count({
    env: "WS_REPLAY_MAX_RECORDS",
    default: 100_000,
    minimum: 1,
    maximum: 10_000_000,
    unit: "records",
    description: "Maximum number of stored records that a subscription with since receives in its replay",
  }),
});
