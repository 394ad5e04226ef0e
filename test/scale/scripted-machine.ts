import type { Machine } from "../../scripts/supervisor/instance.ts";
import type { SavedProcess } from "../../scripts/supervisor/saved-state.ts";

/** A machine whose processes end when a test says so. */
export class ScriptedMachine implements Machine {
  timeMs = 1000;
  starts = 0;
  canStart = true;
  readonly living = new Set<number>();
  readonly signals: string[] = [];

  nowMs(): number {
    return this.timeMs;
  }

  start(): SavedProcess {
    if (!this.canStart) throw new Error("port 9200 is used by another process");
    this.starts += 1;
    this.living.add(this.starts);
    const startedAtMs = this.timeMs;
    return { pid: this.starts, startedAt: "then", startedAtMs, port: 9200, settingsKey: "", logOffset: 0 };
  }

  isRunning({ pid }: SavedProcess): boolean {
    return this.living.has(pid);
  }

  signal({ pid }: SavedProcess, signal: NodeJS.Signals): void {
    this.signals.push(`${signal} ${pid}`);
    if (signal === "SIGKILL") this.living.delete(pid);
  }

  reasonOfEnd(): string {
    return "it ended";
  }

  remember(): void {
    this.signals.push("remembered");
  }

  forget(): void {
    this.signals.push("forgotten");
  }
}
