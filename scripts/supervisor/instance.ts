import { BackOff } from "./back-off.ts";
import type { ManagedRole } from "./managed-role.ts";
import type { SavedInstance, SavedProcess } from "./saved-state.ts";

/** What an instance needs from the machine. */
export interface Machine {
  nowMs(): number;
  /** @throws Error with the reason why no process was started */
  start(role: ManagedRole, number: number): SavedProcess;
  isRunning(process: SavedProcess): boolean;
  signal(process: SavedProcess, signal: NodeJS.Signals): void;
  /** Says in a sentence how the process ended, for people. */
  reasonOfEnd(name: string, process: SavedProcess): string;
  /** Leaves a note of a running process for people. */
  remember(name: string, process: SavedProcess): void;
  /** Deletes that note when the process has ended. */
  forget(name: string): void;
}

/** Why a process is being stopped: its instance is to go, or to start again. */
export type StopPurpose = "remove" | "restart";

type State =
  | { readonly name: "WAITING"; readonly startAtMs: number }
  | { readonly name: "RUNNING"; readonly process: SavedProcess }
  | {
      readonly name: "STOPPING";
      readonly process: SavedProcess;
      readonly purpose: StopPurpose;
      readonly killAtMs: number;
    }
  | { readonly name: "REMOVED" };

/** A place for one process, such as collector-2.
 *
 *  WAITING -start-> RUNNING -end-> WAITING (back-off); a start that fails stays WAITING
 *  RUNNING -stop-> STOPPING -end-> WAITING (restart) | REMOVED (remove); WAITING -stop(remove)-> REMOVED
 *  STOPPING is ended by SIGKILL when its time is up. */
export class Instance {
  readonly name: string;
  private readonly backOff = new BackOff();
  private state: State;
  private restartCount: number;
  private reason: string | undefined;
  private wasKilled = false;

  /** @param saved without a process: the first start is due */
  constructor(
    private readonly saved: SavedInstance,
    private readonly machine: Machine,
  ) {
    this.name = `${saved.role}-${saved.number}`;
    this.restartCount = saved.restarts;
    this.state =
      saved.process === undefined ? { name: "WAITING", startAtMs: 0 } : { name: "RUNNING", process: saved.process };
  }

  get role(): ManagedRole {
    return this.saved.role;
  }

  get number(): number {
    return this.saved.number;
  }

  get phase(): State["name"] {
    return this.state.name;
  }

  get process(): SavedProcess | undefined {
    return "process" in this.state ? this.state.process : undefined;
  }

  /** Starts after unrequested exits. */
  get restarts(): number {
    return this.restartCount;
  }

  /** Why the last process ended, or could not be started, unasked. */
  get lastError(): string | undefined {
    return this.reason;
  }

  /** True if the process had to be ended by SIGKILL. */
  get killed(): boolean {
    return this.wasKilled;
  }

  get isCrashLoop(): boolean {
    return this.backOff.isCrashLoop(this.state.name === "RUNNING" ? this.livedMs(this.state.process) : undefined);
  }

  /** Ends the process, by SIGKILL after `killAtMs`. An instance that is to go does not come back. */
  stop(purpose: StopPurpose, killAtMs: number): void {
    const { state } = this;
    if (state.name === "REMOVED") return;
    if (state.name === "WAITING") {
      this.state = purpose === "remove" ? { name: "REMOVED" } : { name: "WAITING", startAtMs: 0 };
      return;
    }
    if (state.name === "RUNNING") this.machine.signal(state.process, "SIGTERM");
    const earlier = state.name === "STOPPING" ? state : undefined;
    this.state = {
      name: "STOPPING",
      process: state.process,
      purpose: earlier?.purpose === "remove" ? "remove" : purpose,
      killAtMs: Math.min(killAtMs, earlier?.killAtMs ?? killAtMs),
    };
  }

  /** Starts what is due, notices what has ended, kills what is late.
   *  @returns true if the process or the state has changed */
  tick(): boolean {
    const { state } = this;
    if (state.name === "WAITING") return state.startAtMs <= this.machine.nowMs() && this.start();
    if (state.name === "REMOVED") return false;
    if (!this.machine.isRunning(state.process)) return this.ended(state);
    if (state.name === "STOPPING" && state.killAtMs <= this.machine.nowMs()) {
      this.wasKilled = true;
      this.machine.signal(state.process, "SIGKILL");
    }
    return false;
  }

  toSaved(): SavedInstance {
    const { role, number } = this.saved;
    const { process } = this;
    return { role, number, restarts: this.restarts, ...(process === undefined ? {} : { process }) };
  }

  private start(): boolean {
    try {
      this.state = { name: "RUNNING", process: this.machine.start(this.role, this.number) };
    } catch (error) {
      this.failed((error as Error).message, 0);
    }
    return true;
  }

  private ended(state: Extract<State, { name: "RUNNING" | "STOPPING" }>): boolean {
    this.machine.forget(this.name);
    if (state.name === "RUNNING") {
      this.failed(this.machine.reasonOfEnd(this.name, state.process), this.livedMs(state.process));
    } else {
      this.state = state.purpose === "remove" ? { name: "REMOVED" } : { name: "WAITING", startAtMs: 0 };
    }
    return true;
  }

  private failed(reason: string, livedMs: number): void {
    const nowMs = this.machine.nowMs();
    this.reason = reason;
    this.restartCount += 1;
    this.state = { name: "WAITING", startAtMs: nowMs + this.backOff.recordExit(nowMs, livedMs) };
  }

  private livedMs({ startedAtMs }: SavedProcess): number {
    return this.machine.nowMs() - startedAtMs;
  }
}
