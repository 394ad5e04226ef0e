import type { Clock } from "../../../../kit/clock.ts";
import { type ListedTargets, newestStates, type TargetState, type TargetStates } from "../../target-states.ts";

/** The states of a process that shares its targets with no other process. */
export class MemoryTargetStates implements TargetStates {
  private states: readonly TargetState[] = [];
  private isClosed = false;

  constructor(private readonly clock: Clock) {}

  list(): Promise<ListedTargets> {
    return Promise.resolve({ targets: newestStates(this.states), asOfMs: this.clock.nowMs() });
  }

  report(states: readonly TargetState[]): Promise<void> {
    if (!this.isClosed) this.states = states;
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    this.states = [];
    return Promise.resolve();
  }
}
