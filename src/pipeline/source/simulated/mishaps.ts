import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedGpu } from "./simulated-gpu.ts";

/** What happens to a GPU, and how long it takes on average until it does. Far more often than in a well-kept fleet,
 *  so that an hour of 32 GPUs shows each kind. */
const meanSecondsToXid = 20 * 60 * 60;
const meanSecondsToSilence = 2 * 60 * 60;
const meanSecondsToPcieReplay = 6 * 60 * 60;
/** An XID is shown until somebody has looked after the GPU. */
const meanSecondsToMend = 10 * 60;

/** 31: a fault of the program in memory; 43: the GPU stopped processing; 48: double-bit ECC error; 63: a row was
 *  remapped; 74: NVLink; 79: fallen off the bus; 94: contained ECC error.
 *  Source: https://docs.nvidia.com/deploy/xid-errors/ */
const xidCodes = [31, 31, 43, 48, 63, 63, 74, 79, 94];
const xidsThatSpareTheJob: ReadonlySet<number> = new Set([63]);
const fallenOffTheBus = 79;

/** Lets things go wrong: XID errors, GPUs that fall silent, PCIe retries. */
export class Mishaps {
  constructor(
    private readonly scheduler: Scheduler,
    private readonly random: Random,
  ) {}

  /** One number decides for a GPU, so that a tick of a large fleet stays cheap. */
  befall(gpu: SimulatedGpu, seconds: number): void {
    if (gpu.xid !== 0 && this.random.chance(seconds / meanSecondsToMend)) gpu.xid = 0;
    let fate = this.random.next() / seconds;
    if (fate < 1 / meanSecondsToXid) return this.raiseXid(gpu);
    fate -= 1 / meanSecondsToXid;
    if (fate < 1 / meanSecondsToSilence) return gpu.silence(this.random.between(20, 120));
    fate -= 1 / meanSecondsToSilence;
    if (fate < 1 / meanSecondsToPcieReplay) gpu.pcieReplays += 1 + this.random.index(3);
  }

  private raiseXid(gpu: SimulatedGpu): void {
    gpu.xid = this.random.pick(xidCodes);
    if (gpu.xid === fallenOffTheBus) gpu.silence(this.random.between(60, 300));
    if (gpu.occupant !== undefined && !xidsThatSpareTheJob.has(gpu.xid)) this.scheduler.fail(gpu.occupant);
  }
}
