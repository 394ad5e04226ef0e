import { type PaceMarks, paceAt } from "../../src/pipeline/queue/pace.ts";
import { Random } from "../../src/pipeline/source/simulated/random.ts";
import type { ScalingSignals } from "../../src/scaling/coordinator/signals.ts";
import type { Curve } from "./curve.ts";

/** Messages that one collector of the model stores per second, on average; one at a time. */
export const ratePerSecond = 10;
/** A collector's rate and the sources' rates vary by up to this share, from one heartbeat to the next. */
const noiseShare = 0.15;
const heartbeatSeconds = 5;
/** Time from a decision until a new collector stores messages. */
const startSeconds = { min: 2, max: 5 } as const;
const stepSeconds = 0.1;

interface ModelCollector {
  readonly startsAt: number;
  /** Of the collector's usual rate. */
  share: number;
}

interface Heartbeat {
  readonly second: number;
  readonly arrived: number;
  readonly stored: number;
}

/** A small model of the queue: streamers that publish what the sources have, slower while the queue fills, and collectors that
 *  store one message after the other. Amounts of messages have fractions. */
export class QueueModel {
  second = 0;
  offered = 0;
  arrived = 0;
  private stored = 0;
  private loadShare = 1;
  private collectors: ModelCollector[];
  private readonly random: Random;
  /** Heartbeats come between two decisions, so that figures are some seconds old. */
  private readonly phaseSeconds: number;
  private beats: readonly [Heartbeat, Heartbeat];
  /** What had arrived at the end of each step, from `oldestStep` on: the age of the oldest message follows from it. */
  private readonly history: { readonly second: number; readonly arrived: number }[] = [];
  private oldest = 0;

  constructor(
    private readonly curve: Curve,
    private readonly marks: PaceMarks,
    seed: number,
  ) {
    this.random = new Random(seed);
    this.phaseSeconds = this.random.between(0, heartbeatSeconds);
    this.collectors = Array.from({ length: curve.collectors }, () => ({ startsAt: 0, share: 1 }));
    const start = { second: 0, arrived: 0, stored: 0 };
    this.beats = [start, start];
  }

  get alive(): number {
    return this.collectors.filter(({ startsAt }) => startsAt <= this.second).length;
  }

  get ageSeconds(): number {
    return this.depth < 1 ? 0 : this.second - (this.history[this.oldest]?.second ?? this.second);
  }

  /** Lets a second pass. */
  advance(): void {
    const from = Math.round(this.second);
    for (let step = 1; step <= 1 / stepSeconds; step += 1) this.pass(from + step * stepSeconds);
  }

  /** New collectors start after a while; the newest are the first to stop. */
  scale(count: number): void {
    while (this.collectors.length < count) {
      const startsAt = this.second + this.random.between(startSeconds.min, startSeconds.max);
      this.collectors.push({ startsAt, share: 1 });
    }
    this.collectors = this.collectors.slice(0, count);
  }

  signals(): ScalingSignals {
    const [before, last] = this.beats;
    const nowMs = this.second * 1000;
    const seconds = last.second - before.second;
    const inFlight = Math.min(this.depth, this.alive);
    const now = (value: number) => ({ value, atMs: nowMs });
    const beat = (value: number) => (seconds > 0 ? { value: value / seconds, atMs: last.second * 1000 } : undefined);
    return {
      queue: {
        waitingMessages: now(Math.floor(this.depth - inFlight)),
        inFlightMessages: now(Math.ceil(inFlight)),
        oldestAgeSeconds: now(this.ageSeconds),
        arrivalPerSecond: beat(last.arrived - before.arrived),
        drainPerSecond: beat(last.stored - before.stored),
      },
      collectors: {},
      streamers: {},
      gateways: {},
    };
  }

  private get depth(): number {
    return this.arrived - this.stored;
  }

  private pass(second: number): void {
    this.second = second;
    const offered = this.curve.load(second) * this.loadShare * stepSeconds;
    this.offered += offered;
    this.arrived += offered * paceAt(this.depth, this.marks);
    this.history.push({ second, arrived: this.arrived });
    this.stored += this.storedInStep();
    while (this.oldest < this.history.length && (this.history[this.oldest]?.arrived ?? 0) <= this.stored)
      this.oldest += 1;
    if ((second - this.phaseSeconds) % heartbeatSeconds < stepSeconds && second > this.phaseSeconds) this.beat();
  }

  private storedInStep(): number {
    const alive = this.collectors.filter(({ startsAt }) => startsAt <= this.second);
    // with fewer messages than collectors, some collectors have nothing to do
    const busy = Math.min(1, this.depth / Math.max(1, alive.length));
    const shares = alive.reduce((sum, { share }) => sum + share, 0);
    const perSecond = Math.min(shares * ratePerSecond * busy, this.curve.database(this.second));
    return Math.min(this.depth, perSecond * stepSeconds);
  }

  private beat(): void {
    this.beats = [this.beats[1], { second: this.second, arrived: this.arrived, stored: this.stored }];
    const vary = (): number => this.random.between(1 - noiseShare, 1 + noiseShare);
    this.loadShare = vary();
    for (const collector of this.collectors) collector.share = vary();
  }
}
