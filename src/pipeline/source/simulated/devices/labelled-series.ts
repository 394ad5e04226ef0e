import type { Random } from "../random.ts";
import type { SimulatedGpu } from "../simulated-gpu.ts";
import { RecentEvents } from "./recent-events.ts";

/** The metrics that have several rows with different labels, by their DCGM names. */
export const seriesMetrics = [
  "DCGM_FI_DEV_NVLINK_TX_THROUGHPUT",
  "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
  "DCGM_EXP_XID_ERRORS_COUNT",
  "DCGM_EXP_CLOCK_EVENTS_COUNT",
  "DCGM_EXP_GPU_HEALTH_STATUS",
] as const;

/** A value that labels tell apart from other values of its metric. */
export interface SeriesSample {
  readonly metric: (typeof seriesMetrics)[number];
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const windowSeconds = 300;
const window = { window_size_in_ms: String(windowSeconds * 1000) };
/** Errors of applications: 13, graphics engine; 31, page fault; 43, stopped processing; 45, preemptive cleanup. */
const applicationXids = [13, 31, 43, 45];
const clockEvents = ["gpu_idle", "hw_thermal", "sw_power_cap", "sw_thermal"];
/** The code that a watch reports while its status is not 0. */
const healthWatches: Readonly<Record<string, string>> = {
  MEM: "DCGM_FR_PENDING_ROW_REMAP",
  NVLINK: "DCGM_FR_NVLINK_DOWN",
  PCIE: "DCGM_FR_PCI_REPLAY_RATE",
  THERMAL: "DCGM_FR_CLOCK_THROTTLE_THERMAL",
};
/** 0: pass; 10: warning; 20: failure. */
const healthStates = [0, 0, 0, 10, 20];
/** The mean times until each event: far shorter than in a real fleet, so that a few minutes show them all. */
const meanSecondsToXid = 300;
const meanSecondsToClockEvent = 60;
const meanSecondsToHealth = 240;
const meanSecondsToLinkError = 600;
const linkMaxKibibytesPerSecond = 26_562_500;

/** The values of a GPU that labels tell apart: those of each NVLink, XID code, clock event and health watch. */
export class LabelledSeries {
  private readonly throughputs: number[];
  private readonly linkErrors: number[];
  private readonly health = new Map(Object.keys(healthWatches).map((watch) => [watch, 0]));
  private readonly xids = new RecentEvents(windowSeconds);
  private readonly events = new RecentEvents(windowSeconds, clockEvents);
  private lastXid = 0;

  constructor(
    private readonly gpu: Pick<SimulatedGpu, "xid" | "nvlinks">,
    private readonly random: Random,
  ) {
    this.throughputs = new Array<number>(gpu.nvlinks).fill(0);
    this.linkErrors = new Array<number>(gpu.nvlinks).fill(0);
  }

  advance(seconds: number): void {
    const { gpu, random, xids, events, health, linkErrors } = this;
    const happens = (meanSeconds: number): boolean => random.chance(Math.min(1, seconds / meanSeconds));
    xids.advance(seconds);
    events.advance(seconds);
    if (gpu.xid !== 0 && gpu.xid !== this.lastXid) xids.add(String(gpu.xid));
    this.lastXid = gpu.xid;
    if (happens(meanSecondsToXid)) xids.add(String(random.pick(applicationXids)));
    if (happens(meanSecondsToClockEvent)) events.add(random.pick(clockEvents));
    if (happens(meanSecondsToHealth)) health.set(random.pick([...health.keys()]), random.pick(healthStates));
    linkErrors.forEach((errors, link) => {
      if (happens(meanSecondsToLinkError)) linkErrors[link] = errors + 1 + random.index(3);
      this.throughputs[link] = random.index(linkMaxKibibytesPerSecond);
    });
  }

  /** The values of links, which the exporter reports once for each link, however many users the GPU has. */
  ofLinks(): SeriesSample[] {
    const { throughputs, linkErrors } = this;
    return throughputs.flatMap((throughput, link) => {
      const labels = { nvlink: String(link) };
      return [
        { metric: seriesMetrics[0], labels, value: throughput },
        { metric: seriesMetrics[1], labels, value: linkErrors[link] ?? 0 },
      ];
    });
  }

  /** The values of the board, which the exporter repeats for each user of the GPU. */
  ofBoard(): SeriesSample[] {
    const { xids, events, health } = this;
    return [
      ...xids.counts().map(([xid, value]) => ({ metric: seriesMetrics[2], labels: { ...window, xid }, value })),
      ...events.counts().map(([event, value]) => ({
        metric: seriesMetrics[3],
        labels: { clock_event: event, ...window },
        value,
      })),
      ...Array.from(health, ([watch, value]) => ({
        metric: seriesMetrics[4],
        labels: healthLabels(watch, value),
        value,
      })),
    ];
  }
}

function healthLabels(watch: string, status: number): Readonly<Record<string, string>> {
  return { health_error_code: status === 0 ? "" : (healthWatches[watch] ?? ""), health_watch: watch };
}
