import type { TimeRange } from "../time-range.ts";
import type { UsageSegment } from "./device-time.ts";
import { partsPerMs } from "./mig-slices.ts";
import type { EnergyMeasure } from "./usage-hour.ts";

/** The time of a GPU, or of one of its MIG instances, within an hour. */
export interface DeviceTime<Device> {
  readonly device: Device;
  /** The device's share in its GPU (`shareOfGpu`). */
  readonly parts: number;
  /** In the order of time; they do not overlap. Those of a GPU have all of its time, and of the time of its instances. */
  readonly segments: readonly UsageSegment[];
}

/** How much of its GPU a device had, and for how long. */
export interface UsageShare<Device> {
  readonly device: Device;
  readonly segment: UsageSegment;
  /** Time of the whole GPU: milliseconds times `partsPerMs`, a whole number. */
  readonly parts: number;
  readonly energyJoules: number;
  readonly idleJoules: number;
  /** What the energy was measured by: the board's. */
  readonly energyBy: EnergyMeasure;
}

/** Divides the time of a GPU among itself and its MIG instances, so that the shares add up to the GPU's time exactly. An instance has its
 *  share while something is known of it. What instances leave of the GPU belongs first to those of which nothing is known, then to the
 *  GPU itself. If instances have more than the GPU, as around the moment at which it is divided differently, they get less in proportion.
 *  The board's energy is divided in the same way, because instances have no power meter.
 *  @param board the GPU itself */
export function sharesOf<Device>(
  board: DeviceTime<Device>,
  instances: readonly DeviceTime<Device>[],
): UsageShare<Device>[] {
  if (instances.every(({ segments }) => segments.length === 0)) return wholeShares(board);
  const shares = new Map<UsageSegment, Share<Device>>();
  const bounds = boundsOf([board, ...instances]);
  for (const [index, fromMs] of bounds.slice(0, -1).entries()) {
    const moment = { fromMs, toMs: bounds[index + 1] as number };
    divide(moment, { board, instances }, shares);
  }
  return [...shares.values()];
}

/** The shares of a GPU without instances. */
function wholeShares<Device>({ device, segments }: DeviceTime<Device>): UsageShare<Device>[] {
  const shares: UsageShare<Device>[] = [];
  for (const segment of segments) {
    const { fromMs, toMs, energyJoules, idleJoules, energyBy } = segment;
    const parts = (toMs - fromMs) * partsPerMs;
    if (parts > 0) shares.push({ device, segment, parts, energyJoules, idleJoules, energyBy });
  }
  return shares;
}

type Share<Device> = { -readonly [Field in keyof UsageShare<Device>]: UsageShare<Device>[Field] };

function boundsOf(times: readonly DeviceTime<unknown>[]): number[] {
  const all = times.flatMap(({ segments }) => segments.flatMap(({ fromMs, toMs }) => [fromMs, toMs]));
  return [...new Set(all)].sort((a, b) => a - b);
}

interface Family<Device> {
  readonly board: DeviceTime<Device>;
  readonly instances: readonly DeviceTime<Device>[];
}

/** Divides time in which no segment begins or ends. */
function divide<Device>(
  { fromMs, toMs }: TimeRange,
  { board, instances }: Family<Device>,
  shares: Map<UsageSegment, Share<Device>>,
): void {
  const at = ({ segments }: DeviceTime<Device>) =>
    segments.find((segment) => segment.fromMs <= fromMs && fromMs < segment.toMs);
  const present = instances.flatMap((time) => {
    const segment = at(time);
    return segment === undefined ? [] : [{ ...time, segment }];
  });
  const known = present.filter(({ segment }) => segment.holder !== undefined);
  const unknown = present.filter(({ segment }) => segment.holder === undefined);
  const ofBoard = at(board);
  const lengthMs = toMs - fromMs;
  const whole = partsPerMs * lengthMs;
  const wanted = known.reduce((sum, { parts }) => sum + parts * lengthMs, 0);
  let left = whole;
  const give = (device: Device, segment: UsageSegment, parts: number): void => {
    left -= parts;
    addShare(shares, { device, segment, parts, ofBoard, energyShare: (parts / whole) * lengthMs });
  };
  let given = 0;
  let asked = 0;
  for (const { device, segment, parts } of known) {
    asked += parts * lengthMs;
    const until = wanted > whole ? Math.floor((asked * whole) / wanted) : asked;
    give(device, segment, until - given);
    given = until;
  }
  for (const { device, segment, parts } of unknown) give(device, segment, Math.min(left, parts * lengthMs));
  if (ofBoard !== undefined) give(board.device, ofBoard, left);
}

/** @param energyShare the milliseconds whose energy of the board counts */
function addShare<Device>(
  shares: Map<UsageSegment, Share<Device>>,
  {
    ofBoard,
    energyShare,
    ...added
  }: Pick<UsageShare<Device>, "device" | "segment" | "parts"> & {
    readonly ofBoard: UsageSegment | undefined;
    readonly energyShare: number;
  },
): void {
  const { device, segment } = added;
  let share = shares.get(segment);
  if (share === undefined) {
    share = { device, segment, parts: 0, energyJoules: 0, idleJoules: 0, energyBy: "none" };
    shares.set(segment, share);
  }
  share.parts += added.parts;
  if (ofBoard === undefined) return;
  const joules = (ofBoard.energyJoules * energyShare) / (ofBoard.toMs - ofBoard.fromMs);
  share.energyJoules += joules;
  if (ofBoard.energyBy !== "none") share.energyBy = ofBoard.energyBy;
  share.idleJoules += joules * idleOf(segment, ofBoard);
}

/** The share of idle time in a segment; of the board, that of its idle energy. */
function idleOf(segment: UsageSegment, ofBoard: UsageSegment): number {
  if (segment === ofBoard) return segment.energyJoules === 0 ? 0 : segment.idleJoules / segment.energyJoules;
  return segment.idleMs / (segment.toMs - segment.fromMs);
}
