import { Type } from "@sinclair/typebox";
import { defaultClusterId } from "../../domain/default-names.ts";
import { count, duration, namePattern, optionalCount } from "../config-setting.ts";

/** The default of BATCH_SIZE for inputs that are played as they happen, and in which a sample is not to wait for many others. */
export const defaultBatchSize = 5000;

/** The settings of what streamers read, and how fast. */
export const inputSettings = {
  clusterId: Type.String({
    env: "CLUSTER_ID",
    default: defaultClusterId,
    ...namePattern,
    description: "Cluster that the input belongs to: letters, digits, dot, underscore and dash",
  }),
  csvFile: Type.Optional(
    Type.String({
      env: "CSV_FILE",
      minLength: 1,
      description:
        "File to stream: CSV, or XML of nvidia-smi; without it, NVIDIA_SMI and DCGM_TARGETS: the simulated fleet",
    }),
  ),
  nvidiaSmi: Type.Optional(
    Type.String({
      env: "NVIDIA_SMI",
      minLength: 1,
      description:
        "true: read the GPUs of this machine with nvidia-smi; or the path of nvidia-smi; or a command that prints what nvidia-smi -q -x prints",
    }),
  ),
  nvidiaSmiIntervalMs: duration({
    env: "NVIDIA_SMI_INTERVAL",
    default: 15_000,
    minimum: 1000,
    description: "Time between two readings of nvidia-smi",
  }),
  sourceHostname: Type.Optional(
    Type.String({
      env: "SOURCE_HOSTNAME",
      minLength: 1,
      maxLength: 256,
      description: "Host of GPUs whose input does not name it: nvidia-smi's; absent: the name of this machine",
    }),
  ),
  batchSize: optionalCount({
    env: "BATCH_SIZE",
    minimum: 1,
    maximum: 50_000,
    unit: "rows or samples",
    description:
      "Approximate size of a message: rows of a file (more if the next rows are of the same instant), or samples of the simulated fleet; absent: 40,000 rows of a file that is read as fast as possible, otherwise 5,000",
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
  sourceRangeMebibytes: count({
    env: "SOURCE_RANGE_MIB",
    // four messages of 40,000 rows: each range takes five calls of etcd, and with ranges of 16 MiB, a streamer took a fifth more time
    default: 64,
    minimum: 1,
    maximum: 65_536,
    unit: "MiB",
    description: "Approximate size of the range that a streamer claims, if several streamers share a file through etcd",
  }),
};
