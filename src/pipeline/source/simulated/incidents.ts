import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";

/** The mean time until each kind of incident happens to a GPU: far shorter than in a well-kept fleet, so that an hour of 32
 *  GPUs probably shows each kind. */
const meanSecondsToXid = 20 * 60 * 60;
const meanSecondsToSilence = 2 * 60 * 60;
const meanSecondsToPcieReplay = 6 * 60 * 60;
/** The mean time until a GPU is repaired; the GPU shows its XID until then. A repair resets the GPU. */
const meanSecondsToRepair = 10 * 60;

/** 31: GPU memory page fault; 43: the GPU stopped processing; 48: double-bit ECC error; 63: a row was
 *  remapped; 74: NVLink error; 79: fallen off the bus; 94: contained ECC error. A code that is listed twice is
 *  twice as probable.
 *  Source: https://docs.nvidia.com/deploy/xid-errors/ */
const xidCodes = [31, 31, 43, 48, 63, 63, 74, 79, 94];
const xidsThatSpareTheJob: ReadonlySet<number> = new Set([63]);
const fallenOffTheBus = 79;

/** Causes the incidents of GPUs: XID errors, silence and PCIe replays. */
export class Incidents {
  /** The GPUs that have fallen off the bus, with the seconds of their silence, which begins after one more reading. */
  private readonly falling = new Map<SimulatedGpu, number>();

  constructor(
    private readonly scheduler: Scheduler,
    private readonly random: Random,
  ) {}

  /** May repair the GPU, and may cause one incident, each with its probability for this many seconds. One random number
   *  selects among all kinds of incident, so that a tick of a large fleet stays cheap. */
  strike(gpu: SimulatedGpu, seconds: number): void {
    this.fall(gpu);
    // a repair in silence would hide the XID
    if (gpu.xid !== 0 && !gpu.isSilent && this.random.chance(seconds / meanSecondsToRepair)) gpu.reset();
    let fate = this.random.next() / seconds;
    if (fate < 1 / meanSecondsToXid) return this.raiseXid(gpu);
    fate -= 1 / meanSecondsToXid;
    if (fate < 1 / meanSecondsToSilence) return gpu.silence(this.random.between(15, 50));
    fate -= 1 / meanSecondsToSilence;
    if (fate < 1 / meanSecondsToPcieReplay) gpu.pcieReplays += 1 + this.random.index(3);
  }

  private fall(gpu: SimulatedGpu): void {
    const silentSeconds = this.falling.get(gpu);
    if (silentSeconds === undefined || gpu.isSilent) return;
    gpu.silence(silentSeconds);
    this.falling.delete(gpu);
  }

  private raiseXid(gpu: SimulatedGpu): void {
    gpu.raiseXid(this.random.pick(xidCodes));
    if (gpu.xid === fallenOffTheBus) this.falling.set(gpu, this.random.between(60, 300));
    if (gpu.occupant !== undefined && !xidsThatSpareTheJob.has(gpu.xid)) this.scheduler.fail(gpu.occupant);
  }
}
