import type { Occupants } from "../../domain/gpu.ts";
import type { ActiveFault, FaultChange, FaultState, FaultSubject } from "../fault.ts";
import { type Rule, runbookOf } from "../rules/rule.ts";
import type { Owner } from "./state.ts";

/** A condition at an instant. */
export interface Judgement {
  readonly isBad: boolean;
  /** True if the condition for the end holds. Between bad and clear, a firing fault stays. */
  readonly isClear: boolean;
  readonly value: number;
  readonly atMs: number;
  /** False: no fault begins, for example during maintenance. */
  readonly mayRaise: boolean;
  readonly why: () => string;
}

/** A fault that begins. */
export interface Beginning {
  readonly owner: Owner;
  readonly rule: Rule;
  readonly subject: FaultSubject;
  readonly holders: Occupants;
  readonly atMs: number;
  /** `atMs` if absent. */
  readonly startedAtMs?: number;
  readonly value: number | null;
  readonly why: string;
  /** The rule's own if absent. */
  readonly name?: string;
  readonly action?: string;
  readonly summary?: string;
}

/** How long a condition has to last, and over which gap between records it continues. */
export interface Durations {
  readonly forMs: number;
  readonly resolveForMs: number;
  readonly maxGapMs: number;
}

/** The states of a fault:
 *
 *      nothing -> PENDING       the condition holds
 *      nothing -> FIRING        the condition holds, and need not last
 *      PENDING -> FIRING        it has lasted
 *      PENDING -> RESOLVED      it did not last
 *      FIRING -> ACKNOWLEDGED   an operator has seen it
 *      FIRING, ACKNOWLEDGED -> RESOLVED   the condition for the end has lasted, or the event has ended
 *
 *  Each change is kept until `take`. */
export class Transitions {
  private changes: FaultChange[] = [];

  /** The changes since the last call. */
  take(): FaultChange[] {
    const { changes } = this;
    if (changes.length > 0) this.changes = [];
    return changes;
  }

  /** Judges a condition that holds or does not hold at every instant. An instant that is not after the newest one changes nothing.
   *  @param beginning what is told if a fault begins */
  judge(owner: Owner, judgement: Judgement, { rule, name = rule.id, durations, beginning }: LevelOf): void {
    const fault = faultOf(owner, name);
    if (fault === undefined) {
      if (!judgement.isBad || !judgement.mayRaise) return;
      const { value, atMs, why } = judgement;
      this.begin(
        { owner, rule, name, ...beginning(), value, atMs, why: why() },
        durations.forMs > 0 ? "pending" : "firing",
      );
    } else if (judgement.atMs > fault.judgedMs) {
      const isGap = judgement.atMs - fault.judgedMs > durations.maxGapMs;
      fault.judgedMs = judgement.atMs;
      if (fault.state === "pending") this.judgePending({ owner, fault, judgement, durations, isGap });
      else this.judgeFiring({ owner, fault, judgement, durations, isGap });
    }
  }

  /** Begins a fault, which fires or is pending. */
  begin(beginning: Beginning, state: "pending" | "firing"): void {
    const { owner, rule, subject, holders, atMs, value, why } = beginning;
    const [name, startedAtMs] = [beginning.name ?? rule.id, beginning.startedAtMs ?? atMs];
    const { clusterId, hostname, uuid, job } = subject;
    const place = [clusterId, uuid || job || hostname].filter((text) => text !== "").join("/");
    const fault: ActiveFault = {
      id: `${name}@${place}@${startedAtMs}`,
      ...{ name, rule: rule.id, severity: rule.severity, summary: beginning.summary ?? rule.summary, subject },
      ...{ startedAtMs, holders, action: beginning.action ?? rule.action, runbook: runbookOf(rule.id) },
      ...{ state, sinceMs: atMs, judgedMs: atMs, clearMs: null, value, why, isSuppressed: false },
    };
    owner.faults.push(fault);
    this.tell(fault, state, { atMs, why });
  }

  resolve(owner: Owner, fault: ActiveFault, { atMs, why }: Telling): void {
    owner.faults = owner.faults.filter((other) => other !== fault);
    this.tell(fault, "resolved", { atMs, why });
  }

  /** @returns false if the fault does not fire */
  acknowledge(fault: ActiveFault, telling: Telling): boolean {
    if (fault.state !== "firing") return false;
    fault.state = "acknowledged";
    fault.isSuppressed = false; // it is told now, and not again after the maintenance
    this.tell(fault, "acknowledged", telling);
    return true;
  }

  /** Tells faults as suppressed. What is pending ends. */
  suppress(owner: Owner, telling: Telling): void {
    for (const fault of owner.faults) {
      if (fault.state === "pending") this.resolve(owner, fault, telling);
      else if (!fault.isSuppressed) {
        fault.isSuppressed = true;
        this.tell(fault, "suppressed", telling);
      }
    }
  }

  /** Tells the states of suppressed faults again. */
  unsuppress(owner: Owner, telling: Telling): void {
    for (const fault of owner.faults) {
      if (!fault.isSuppressed) continue;
      fault.isSuppressed = false;
      this.tell(fault, fault.state, telling);
    }
  }

  private judgePending({ owner, fault, judgement, durations, isGap }: Judging): void {
    const { isBad, atMs, value, why } = judgement;
    fault.value = value;
    if (!isBad) return this.resolve(owner, fault, { atMs, why: `It did not last: ${why()}` });
    if (isGap) fault.sinceMs = atMs;
    if (atMs - fault.sinceMs < durations.forMs) return;
    fault.state = "firing";
    fault.why = why();
    this.tell(fault, "firing", { atMs, why: fault.why });
  }

  private judgeFiring({ owner, fault, judgement, durations, isGap }: Judging): void {
    const { isClear, atMs, value, why } = judgement;
    fault.value = value;
    if (!isClear) fault.clearMs = null;
    else if (fault.clearMs === null || isGap) fault.clearMs = atMs;
    if (fault.clearMs === null || atMs - fault.clearMs < durations.resolveForMs) return;
    this.resolve(owner, fault, { atMs, why: why() });
  }

  private tell(fault: ActiveFault, state: FaultState, { atMs, why }: Telling): void {
    const { id, name, rule, severity, summary, subject, startedAtMs, holders, action, runbook, value } = fault;
    const facts = { id, name, rule, severity, summary, subject, startedAtMs, holders, action, runbook };
    this.changes.push({ ...facts, state, atMs, value, why });
  }
}

/** When a change was, and its reason. */
interface Telling {
  readonly atMs: number;
  readonly why: string;
}

interface LevelOf {
  readonly rule: Rule;
  /** The rule's own if absent. */
  readonly name?: string;
  readonly durations: Durations;
  readonly beginning: () => Pick<Beginning, "subject" | "holders" | "startedAtMs" | "action">;
}

interface Judging {
  readonly owner: Owner;
  readonly fault: ActiveFault;
  readonly judgement: Judgement;
  readonly durations: Durations;
  readonly isGap: boolean;
}

/** The fault of this name. */
export function faultOf({ faults }: Owner, name: string): ActiveFault | undefined {
  // mostly empty; `find` takes longer
  for (const fault of faults) if (fault.name === name) return fault;
  return undefined;
}
