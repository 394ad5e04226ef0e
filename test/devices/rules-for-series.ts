/** The rules for a metric, written independently of the catalogue. */
interface Known {
  /** The field of the API. */
  readonly name: string;
  /** True if the value is the whole GPU's, whichever instance reports it. */
  readonly isOfBoard: boolean;
  /** How the field follows from several series. */
  readonly fold: "sum" | "max";
}

type Labels = Partial<Record<string, string>>;

const ofInstance = (name: string): Known => ({ name, isOfBoard: false, fold: "max" });
const ofBoard = (name: string, fold: Known["fold"] = "max"): Known => ({ name, isOfBoard: true, fold });

const catalogue: Readonly<Record<string, Known>> = {
  DCGM_FI_DEV_GPU_UTIL: ofInstance("gpu_utilization"),
  DCGM_FI_DEV_MEM_COPY_UTIL: ofInstance("memory_utilization"),
  DCGM_FI_DEV_FB_USED: ofInstance("memory_used_mb"),
  DCGM_FI_DEV_FB_FREE: ofInstance("memory_free_mb"),
  DCGM_FI_DEV_DEC_UTIL: ofInstance("dec_utilization"),
  DCGM_FI_DEV_ENC_UTIL: ofInstance("enc_utilization"),
  DCGM_FI_PROF_PIPE_TENSOR_ACTIVE: ofInstance("tensor_active"),
  DCGM_FI_PROF_DRAM_ACTIVE: ofInstance("dram_active"),
  DCGM_FI_DEV_POWER_USAGE: ofBoard("power_draw"),
  DCGM_FI_DEV_GPU_TEMP: ofBoard("temperature"),
  DCGM_FI_DEV_SM_CLOCK: ofBoard("sm_clock_mhz"),
  DCGM_FI_DEV_MEM_CLOCK: ofBoard("memory_clock_mhz"),
  DCGM_FI_DEV_MEMORY_TEMP: ofBoard("memory_temperature"),
  DCGM_FI_DEV_XID_ERRORS: ofBoard("xid_error"),
  DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION: ofBoard("total_energy_mj", "sum"),
  DCGM_FI_DEV_PCIE_REPLAY_COUNTER: ofBoard("pcie_replay_total", "sum"),
  DCGM_FI_DEV_THERMAL_VIOLATION: ofBoard("thermal_violation_ns", "sum"),
  DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL: ofBoard("nvlink_crc_flit_error_total", "sum"),
  DCGM_EXP_XID_ERRORS_COUNT: ofBoard("xid_errors", "sum"),
  DCGM_EXP_CLOCK_EVENTS_COUNT: ofBoard("clock_events", "sum"),
  DCGM_EXP_GPU_HEALTH_STATUS: ofBoard("gpu_health_status"),
};
const byName = new Map(Object.values(catalogue).map((known) => [known.name, known]));

const seriesLabels = [
  ...["clock_event", "health_error_code", "health_watch", "link_status", "nvlink"],
  ...["peer_gpu", "vgpu", "window_size_in_ms", "xid"],
];

/** True for metrics of the whole GPU. A metric that is not in the catalogue is the device's that reports it. */
export function isOfBoard(metric: string): boolean {
  return catalogue[metric]?.isOfBoard ?? false;
}

/** The name of the series of a row: the API's name of the metric, and the labels that tell it apart. The value of the board is the
 *  same for each virtual GPU. */
export function seriesOf(metric: string, labels: Labels): string {
  const known = catalogue[metric];
  const ignored = known?.isOfBoard === true ? "vgpu" : "";
  const named = seriesLabels.filter((name) => name !== ignored && (labels[name] ?? "") !== "");
  const name = known?.name ?? metric;
  return named.length === 0 ? name : `${name}{${named.map((label) => `${label}="${labels[label]}"`).join(",")}}`;
}

/** The values that are fields of a record, and those that have their series' or their own name in `custom`. */
export function byMetric(values: ReadonlyMap<string, number>) {
  const plain = new Map([...values].filter(([series]) => byName.has(series)));
  return { plain, custom: new Map([...values].filter(([series]) => !plain.has(series))) };
}

/** The fields of a record: the greater of the value without labels and the fold of the metric's series. Of series that differ only
 *  by the virtual GPU or the window, the greatest counts, once. */
export function foldsOf(plain: ReadonlyMap<string, number>, custom: ReadonlyMap<string, number>) {
  const fields = new Map(plain);
  const ofMetric = Map.groupBy(custom, ([series]) => series.slice(0, Math.max(0, series.indexOf("{"))));
  for (const [metric, series] of ofMetric) {
    const known = byName.get(metric);
    if (known === undefined) continue;
    const once = new Map<string, number>();
    for (const [name, value] of series) {
      const shared = name.replace(/(vgpu|window_size_in_ms)="[^"]*",?/g, "");
      once.set(shared, Math.max(once.get(shared) ?? -Infinity, value));
    }
    const values = [...once.values()];
    const fold = known.fold === "max" ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0);
    fields.set(metric, Math.max(fields.get(metric) ?? -Infinity, fold));
  }
  return Object.fromEntries(fields);
}
