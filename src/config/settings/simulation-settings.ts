import { Type } from "@sinclair/typebox";
import { count, duration, share } from "../config-setting.ts";

/** The settings of the simulated fleet. */
export const simulationSettings = {
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
  simMig: share({ env: "SIM_MIG", description: "Share of the simulated GPUs that are divided into MIG instances" }),
  simTimeSlicing: share({
    env: "SIM_TIME_SLICING",
    description: "Share of the simulated GPUs that several pods share",
  }),
  simVgpu: share({ env: "SIM_VGPU", description: "Share of the simulated GPUs that several virtual GPUs share" }),
  simSeries: share({
    env: "SIM_SERIES",
    description: "Share of the simulated GPUs with values for each NVLink, XID code, clock event and health watch",
  }),
  simFaults: Type.Array(Type.String({ pattern: "^[a-z0-9.-]+(@\\d+[smh](-\\d+[smh])?)?$" }), {
    env: "SIM_FAULTS",
    form: "list",
    elements:
      "faults of docs/faults.md, each with its time, such as device.gone or gpu.temperature.high@10m-40m; or random, or none",
    minItems: 1,
    default: ["random"],
    description: "Faults of the simulated fleet; random: incidents at random; none: a healthy fleet",
  }),
};
