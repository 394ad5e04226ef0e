import type { StoredRecord } from "../../domain/query.ts";
import type { Clock } from "../../kit/clock.ts";
import type { FleetQueries, HistoryQueries } from "../../pipeline/store/telemetry-queries.ts";
import type { FaultEvaluator } from "../evaluator/evaluator.ts";
import type { SavedPart } from "../evaluator/saved-part.ts";
import type { FaultChange } from "../fault.ts";
import type { FaultLedger, FaultUpdate, NewChange } from "../fault-store.ts";
import type { FaultInstruments } from "./fault-instruments.ts";
import { gapsBefore, recordsIn } from "./gaps.ts";
import { HeldChanges } from "./held-changes.ts";
import { maxMissedMs, MissedRecords } from "./missed-records.ts";
import type { RecordFeed } from "./record-feed.ts";
import { carryOut } from "./requests.ts";
import { StateRotation } from "./state-rotation.ts";

export interface EvaluationOptions {
  /** The number of the leader's term in the ledger. */
  readonly term: number;
  readonly evaluator: FaultEvaluator;
  /** The parts of the evaluator's state that the store has. */
  readonly saved: readonly SavedPart[];
  readonly feed: RecordFeed;
  readonly ledger: FaultLedger;
  readonly fleet: Pick<FleetQueries, "stateSpans">;
  readonly history: Pick<HistoryQueries, "records" | "recordsOfEach">;
  /** Repeats a call until the store answers. */
  readonly ask: <T>(call: () => Promise<T>) => Promise<T>;
  readonly onSkipped: (error: unknown) => void;
  readonly onFailed: (error: unknown) => void;
  readonly instruments: FaultInstruments;
  readonly clock: Clock;
}

/** Time passes for the evaluator in steps of this length. */
const advanceMs = 5000;
/** The evaluator takes a longer pause as a stop of the pipeline. */
const stoppedMs = 60_000;
/** States are at most three minutes old; a device that was silent for longer is read when it reports again. */
const recentMs = 300_000;
/** If more was missed, the records of all devices are read, in the order of their instants. */
const maxGapRecords = 20_000;
const maxRequests = 100;
/** For so long after records were read late, no silence begins: those of some hosts may not be stored yet. */
const graceMs = 120_000;

/** Evaluates the rules in one term of a leader. Each step takes what has arrived and what has to be done, and writes what follows from
 *  it; the next step begins when that is written. So what waits is bounded while the store is away, and a leader that is lost in between
 *  has told nothing that its successor tells again: the successor begins with the states of the last transaction. */
export class Evaluation {
  private readonly held = new HeldChanges();
  private readonly rotation: StateRotation;
  private readonly missed: MissedRecords;
  private untold: NewChange[] = [];
  private outcomes: FaultUpdate["requests"][number][] = [];
  private isNew = true;
  private batch = 0;
  private spansVersion: string | undefined;
  private rotatedMs: number;

  constructor(private readonly options: EvaluationOptions) {
    this.rotation = new StateRotation(options.evaluator.fleet, options.saved);
    this.missed = new MissedRecords(options);
    this.rotatedMs = options.clock.nowMs();
  }

  /** Tells changes that do not come from the evaluator. */
  tell(changes: readonly FaultChange[]): void {
    this.add(changes);
  }

  /** Does once what has to be done. @throws TermEnded; the errors of `ask` */
  async step(): Promise<void> {
    const { evaluator, feed, clock } = this.options;
    if (evaluator.fleet.time.nowMs === 0) this.add(evaluator.advance(clock.nowMs()));
    await this.readSpans();
    if (feed.takeMissed() || this.isNew) await this.catchUpRecent();
    this.isNew = false;
    await this.observeWaiting();
    if (clock.nowMs() - evaluator.fleet.time.nowMs >= advanceMs) this.add(evaluator.advance(clock.nowMs()));
    await this.carryOutRequests();
    await this.write();
  }

  private async readSpans(): Promise<void> {
    const { fleet, evaluator, ask, clock } = this.options;
    if (clock.nowMs() - evaluator.fleet.time.nowMs < advanceMs && this.spansVersion !== undefined) return;
    // what was missed is judged by the maintenance of then
    const endAfterMs = clock.nowMs() - maxMissedMs;
    const { version, spans } = await ask(() => fleet.stateSpans(this.spansVersion, endAfterMs));
    this.spansVersion = version;
    if (spans !== undefined) evaluator.setSpans(spans);
  }

  private async catchUpRecent(): Promise<void> {
    const { fleet } = this.options.evaluator;
    await this.catchUp(fleet.oldestSince(fleet.time.nowMs - recentMs) ?? Infinity);
  }

  private async observeWaiting(): Promise<void> {
    const { feed, instruments, evaluator, clock } = this.options;
    const oldestMs = clock.nowMs() - maxMissedMs;
    const arrived = feed.take();
    // history tells nothing, whether it is all here or in part, as the hot tier has only the newest record of each write
    const records = arrived.records.filter(({ timeMs }) => timeMs >= oldestMs);
    const device = (uuid: string) => evaluator.fleet.device(uuid);
    const gaps = gapsBefore({ ...arrived, records }, { device, oldestMs });
    if (recordsIn(gaps) > maxGapRecords) await this.catchUp(Math.min(...gaps.map(({ fromMs }) => fromMs)));
    else if (gaps.length > 0) {
      const missed = await this.missed.within(gaps);
      for (const record of missed.sort((a, b) => a.timeMs - b.timeMs)) this.observe(record, record.timeMs);
    }
    for (const record of records) this.observe(record);
    instruments.observed(records.length);
  }

  /** Reads the records of all devices from an instant on, as if they arrived now one after another, and writes what follows. */
  private async catchUp(fromMs: number): Promise<void> {
    const { evaluator, clock, instruments } = this.options;
    const from = Math.max(fromMs, clock.nowMs() - maxMissedMs);
    if (!Number.isFinite(from)) return;
    for await (const records of this.missed.since(from)) {
      for (const record of records) {
        this.advanceTo(Math.min(record.timeMs, clock.nowMs()));
        if (record.timeMs > (evaluator.fleet.device(record.gpu.uuid)?.lastMs ?? -Infinity)) {
          this.observe(record, Math.min(record.timeMs, evaluator.fleet.time.nowMs));
        }
      }
      instruments.observed(records.length);
      await this.write();
    }
    evaluator.fleet.beginGrace(graceMs);
  }

  private advanceTo(atMs: number): void {
    const { evaluator } = this.options;
    if (atMs - evaluator.fleet.time.nowMs > stoppedMs) this.add(evaluator.advance(atMs));
    while (atMs - evaluator.fleet.time.nowMs >= advanceMs)
      this.add(evaluator.advance(evaluator.fleet.time.nowMs + advanceMs));
  }

  private observe(record: StoredRecord, arrivedMs?: number): void {
    const { evaluator, instruments } = this.options;
    if (evaluator.isAhead(record)) instruments.passedOver();
    else if (evaluator.fleet.device(record.gpu.uuid) === undefined) this.seesNew(record);
    try {
      this.add(evaluator.observe(record, arrivedMs));
    } catch (error) {
      instruments.failed();
      this.options.onFailed(error);
    }
  }

  private seesNew({ timeMs }: StoredRecord): void {
    const { time } = this.options.evaluator.fleet;
    this.rotation.seesNew(timeMs < time.nowMs - recentMs ? undefined : timeMs);
  }

  private async carryOutRequests(): Promise<void> {
    const { ledger, evaluator, clock, ask } = this.options;
    for (const request of await ask(() => ledger.requests(maxRequests))) {
      const { changes, outcome } = carryOut(evaluator, request, clock.nowMs());
      this.untold.push(...this.held.pass(changes, evaluator.fleet.time.nowMs));
      this.outcomes.push({ id: request.id, outcome });
    }
  }

  private add(changes: readonly FaultChange[]): void {
    const { evaluator } = this.options;
    const told = this.held.pass(
      changes.map((change) => ({ change, by: "", comment: "" })),
      evaluator.fleet.time.nowMs,
    );
    for (const each of told) this.untold.push(each);
  }

  /** Writes what is to be told, with the states of all that it is about, and some other states. */
  private async write(): Promise<void> {
    const { clock } = this.options;
    const changes = this.untold;
    this.rotation.noteSaved();
    const states = this.rotation.ofSubjects(changes.map(({ change }) => change.subject));
    const passedMs = clock.nowMs() - this.rotatedMs;
    if (passedMs >= advanceMs || this.rotation.hasNew) {
      states.push(...this.rotation.next(passedMs));
      this.rotatedMs += passedMs;
    }
    const requests = this.outcomes;
    if (changes.length + states.length + requests.length === 0) return;
    this.untold = [];
    this.outcomes = [];
    await this.writeUpdate({ changes, states, requests });
  }

  private async writeUpdate(update: Pick<FaultUpdate, "changes" | "states" | "requests">): Promise<void> {
    const { ledger, term, ask, instruments } = this.options;
    const batch = (this.batch += 1);
    await ask(() => ledger.write({ ...update, term, batch }));
    instruments.told(update.changes);
  }
}
