import { Counter, Gauge, type Registry } from "prom-client";
import type { ActiveFault } from "../fault.ts";
import type { NewChange } from "../fault-store.ts";

/** What a leader shows. */
export interface ShownEvaluation {
  readonly active: () => readonly ActiveFault[];
  /** How long the oldest record has waited that was not evaluated yet, in milliseconds. */
  readonly lagMs: () => number;
}

/** Shows the evaluation of faults to Prometheus. The gauges have series only in the process that leads. */
export class FaultInstruments {
  private shown: ShownEvaluation | undefined;
  private readonly changes: Counter<"state">;
  private readonly records: Counter;
  private readonly ahead: Counter;
  private readonly errors: Counter;
  private readonly notifications: Counter<"result">;
  private readonly leader: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.changes = new Counter({
      name: "telemetry_fault_changes_total",
      help: "Changes of faults that this process has told, by the state after the change",
      labelNames: ["state"],
      registers,
    });
    this.records = new Counter({
      name: "telemetry_fault_evaluated_records_total",
      help: "Records on which this process has evaluated the rules of faults",
      registers,
    });
    this.ahead = new Counter({
      name: "telemetry_fault_records_ahead_total",
      help: "Records without an effect on faults, as they are more than 5 minutes ahead of this process's clock",
      registers,
    });
    this.errors = new Counter({
      name: "telemetry_fault_errors_total",
      help: "Records on which the rules of faults could not be evaluated",
      registers,
    });
    this.notifications = new Counter({
      name: "telemetry_fault_notifications_total",
      help: "Notices about faults to webhooks: sent, or refused by the receiver for good",
      labelNames: ["result"],
      registers,
    });
    this.leader = new Gauge({
      name: "telemetry_fault_leader",
      help: "1 if this process evaluates the rules of faults, 0 if it stands by",
      registers,
    });
    this.showActive(registers);
  }

  leads(shown: ShownEvaluation): void {
    this.shown = shown;
    this.leader.set(1);
  }

  standsBy(): void {
    this.shown = undefined;
    this.leader.set(0);
  }

  told(changes: readonly NewChange[]): void {
    for (const { change } of changes) this.changes.inc({ state: change.state });
  }

  observed(records: number): void {
    this.records.inc(records);
  }

  notified(result: "sent" | "refused", notices: number): void {
    this.notifications.inc({ result }, notices);
  }

  /** A record was of the future. */
  passedOver(): void {
    this.ahead.inc();
  }

  failed(): void {
    this.errors.inc();
  }

  private showActive(registers: Registry[]): void {
    const shown = (): ShownEvaluation | undefined => this.shown;
    void new Gauge({
      name: "telemetry_faults",
      help: "Faults that have not ended, by state and severity; only in the process that evaluates the rules",
      labelNames: ["state", "severity"],
      registers,
      collect() {
        this.reset();
        for (const { state, severity, isSuppressed } of shown()?.active() ?? []) {
          this.inc({ state: isSuppressed ? "suppressed" : state, severity });
        }
      },
    });
    void new Gauge({
      name: "telemetry_fault_lag_seconds",
      help: "How long the oldest record has waited for the evaluation of the rules of faults; only in the process that evaluates them",
      labelNames: [],
      registers,
      collect() {
        this.remove();
        const lagMs = shown()?.lagMs();
        if (lagMs !== undefined) this.set(lagMs / 1000);
      },
    });
  }
}
