import { TermEnded } from "../../../domain/errors.ts";
import type { Term } from "../../election/leader-election.ts";
import { decisionsKeptMs, type RecordedScaling, type ScalingRecords, type ScalingUpdate } from "../scaling-records.ts";

/** The records of a process that shares nothing with other processes. */
export class MemoryScalingRecords implements ScalingRecords {
  private term: Term | undefined;
  private last: ScalingUpdate | undefined;
  private changes: ScalingUpdate["changes"] = [];
  private sinceMs = 0;

  constructor(private readonly instanceId: string) {}

  write(term: Term, update: ScalingUpdate): Promise<void> {
    if (term.ended.aborted) return Promise.reject(new TermEnded(`the term ${term.revision} has ended`));
    if (this.term !== term) this.sinceMs = update.atMs;
    this.term = term;
    this.last = update;
    const oldestMs = update.atMs - decisionsKeptMs;
    this.changes = [...update.changes.toReversed(), ...this.changes].filter(({ at }) => Date.parse(at) >= oldestMs);
    return Promise.resolve();
  }

  read(maxChanges: number): Promise<RecordedScaling> {
    const { term, last, sinceMs, instanceId } = this;
    const isLed = term !== undefined && !term.ended.aborted;
    return Promise.resolve({
      leader: isLed ? { instanceId, term: term.revision, sinceMs } : undefined,
      state: last?.state,
      memories: last?.memories ?? {},
      figures: isLed && last !== undefined ? last.figures : { desired: {} },
      changes: this.changes.slice(0, maxChanges),
    });
  }
}
