/** What a GPU has under each name, written down from the exporters' documentation and independent of the catalogue in src/. */
export interface Measure {
  /** The API's name. */
  readonly ours: string;
  /** The name up to dcgm-exporter 4.8, and the text of a value in our unit. */
  readonly older: Spelled;
  /** The name in dcgm-exporter 4.9. */
  readonly newer: Spelled;
  /** Whether the newer name is of DCGM 4.7 alone. With DCGM 4.6, the exporter has the older one. */
  readonly isOf47: boolean;
  /** The name in nvidia_gpu_exporter; undefined if it does not have the measure. */
  readonly smi: Spelled | undefined;
  /** A measure that each MIG instance has for itself. */
  readonly isOfInstance: boolean;
  /** Values that must be read exactly, in our unit. */
  readonly values: readonly number[];
}

export interface Spelled {
  readonly name: string;
  readonly text: (value: number) => string;
  /** Numbers that mean 'no value' in a field of this width. */
  readonly blanks: readonly string[];
}

const int32 = ["2147483632", "2147483633", "2147483634", "2147483635"];
const int64 = ["9223372036854775792", "9223372036854775793", "9223372036854775794", "9223372036854775795"];
const fp64 = ["140737488355328.000000", "140737488355329.000000", "140737488355330.000000", "140737488355331.000000"];
/** nvidia_gpu_exporter leaves out what nvidia-smi does not have. */
const none: readonly string[] = [];

const whole = (value: number): string => String(value);
const sixDecimals = (value: number): string => value.toFixed(6);
const ratio = (percent: number): string => (percent / 100).toFixed(6);
const bytes = (mebibytes: number): string => String(mebibytes * 1024 * 1024);
const hertz = (megahertz: number): string => `${megahertz}000000`;
const ofInstance = { isOfInstance: true };
const ofBoard = { isOfInstance: false };
const percents = [0, 1, 2, 29, 57, 58, 87, 99, 100];
const mebibytes = [0, 1, 128, 19818, 81559];

const spelled = (name: string, text: Spelled["text"], blanks: readonly string[]): Spelled => ({ name, text, blanks });
const dev = (name: string, text: Spelled["text"], blanks: readonly string[]): Spelled =>
  spelled(`DCGM_FI_DEV_${name}`, text, blanks);
const smi = (name: string, text: Spelled["text"]): Spelled => spelled(`nvidia_smi_${name}`, text, none);

// prettier-ignore
const rows: readonly (readonly [ours: string, older: Spelled, newer: Spelled, smi: Spelled | undefined, scope: typeof ofBoard, values: readonly number[]])[] = [
  ["gpu_utilization", dev("GPU_UTIL", whole, int32), dev("GPU_UTIL_RATIO", ratio, fp64), smi("utilization_gpu_ratio", (v) => String(v / 100)), ofInstance, percents],
  ["memory_utilization", dev("MEM_COPY_UTIL", whole, int32), dev("MEMORY_UTIL_RATIO", ratio, fp64), smi("utilization_memory_ratio", (v) => String(v / 100)), ofInstance, percents],
  ["enc_utilization", dev("ENC_UTIL", whole, int32), dev("ENC_UTIL_RATIO", ratio, fp64), smi("utilization_encoder_ratio", (v) => String(v / 100)), ofInstance, percents],
  ["memory_used_mb", dev("FB_USED", whole, int32), dev("FB_USED_BYTES", bytes, int64), smi("memory_used_bytes", bytes), ofInstance, [...mebibytes, 2048]],
  ["memory_free_mb", dev("FB_FREE", whole, int32), dev("FB_FREE_BYTES", bytes, int64), smi("memory_free_bytes", bytes), ofInstance, mebibytes],
  ["temperature", dev("GPU_TEMP", whole, int32), dev("GPU_TEMP_CELSIUS", whole, int32), smi("temperature_gpu", whole), ofBoard, [0, 1, 45, 91, -5]],
  ["power_draw", dev("POWER_USAGE", sixDecimals, fp64), dev("BOARD_POWER_WATTS", sixDecimals, fp64), smi("power_draw_watts", whole), ofBoard, [0.5, 67.351, 255, 631.95]],
  ["sm_clock_mhz", dev("SM_CLOCK", whole, int32), dev("SM_CLOCK_HERTZ", hertz, int64), smi("clocks_current_sm_clock_hz", hertz), ofBoard, [210, 1410, 1980]],
  ["total_energy_mj", dev("TOTAL_ENERGY_CONSUMPTION", whole, int64), dev("GPU_ENERGY_JOULES_TOTAL", (v) => String(v / 1000), int64), smi("energy_joules_total", (v) => String(v / 1000)), ofBoard, [0, 9_022_652_000, 2_147_484_000, 140_737_488_355_000]],
  ["xid_error", dev("XID_ERRORS", whole, int32), dev("XID_ERROR", whole, int32), undefined, ofBoard, [0, 31, 79]],
  ["pcie_replay_total", dev("PCIE_REPLAY_COUNTER", whole, int32), dev("PCIE_REPLAY_TOTAL", whole, int32), undefined, ofBoard, [0, 3, 90_000]],
  ["power_violation_ns", dev("POWER_VIOLATION", whole, int64), dev("GPU_POWER_THROTTLE_SECONDS_TOTAL", (v) => (v / 1e9).toFixed(6), fp64), undefined, ofBoard, [0, 1_000_000, 29_000_000, 12_345_678_000]],
  ["nvlink_bandwidth_total", dev("NVLINK_BANDWIDTH_TOTAL", whole, int64), dev("NVLINK_THROUGHPUT_TOTAL", whole, int64), undefined, ofBoard, [0, 12_345, 2_147_483_632]],
  ["gr_engine_active", spelled("DCGM_FI_PROF_GR_ENGINE_ACTIVE", sixDecimals, fp64), spelled("DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", sixDecimals, fp64), undefined, ofInstance, [0, 0.000039, 0.87, 1]],
];

/** The fields from 1613 on, and all that count bytes of the framebuffer. */
const of47 = /(?:MEMORY|ENC)_UTIL_RATIO|FB_.*_BYTES|_SECONDS_/;

/** DCGM 4.6 has this name for the percentage. */
export const ratioName = "DCGM_FI_DEV_GPU_UTIL_RATIO";
export const ratioIn46: Spelled = spelled(ratioName, whole, int32);

export const measures: readonly Measure[] = rows.map(([ours, older, newer, ofSmi, { isOfInstance }, values]) => ({
  ours,
  older,
  newer,
  isOf47: of47.test(newer.name),
  smi: ofSmi,
  isOfInstance,
  values,
}));
