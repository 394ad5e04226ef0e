import { Counter, Gauge, type Registry } from "prom-client";
import type { ScalingDecision, ScalingState } from "./scaling-state.ts";

/** Shows decisions in Prometheus instruments. */
export class ScalingInstruments {
  private readonly desired: Gauge<"role">;
  private readonly actual: Gauge<"role">;
  private readonly decisions: Counter<"role" | "direction">;
  private readonly refused: Counter;
  private readonly isLeader: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.desired = new Gauge({
      name: "telemetry_scaling_desired_instances",
      help: "Decided number of processes; only of the coordinator that leads",
      labelNames: ["role"],
      registers,
    });
    this.actual = new Gauge({
      name: "telemetry_scaling_actual_instances",
      help: "Live processes; only of the coordinator that leads",
      labelNames: ["role"],
      registers,
    });
    this.decisions = new Counter({
      name: "telemetry_scaling_decisions_total",
      help: "Decisions of this coordinator by direction: up, down or hold",
      labelNames: ["role", "direction"],
      registers,
    });
    this.refused = new Counter({
      name: "telemetry_scaling_refused_writes_total",
      help: "Writes of this coordinator that were refused because its term had ended",
      registers,
    });
    this.isLeader = new Gauge({
      name: "telemetry_scaling_leader",
      help: "1 if this coordinator leads, otherwise 0",
      registers,
    });
  }

  leads(): void {
    this.isLeader.set(1);
  }

  /** Another coordinator may lead: its figures are the ones that count. */
  standsBy(): void {
    this.isLeader.set(0);
    this.desired.reset();
    this.actual.reset();
  }

  wasRefused(): void {
    this.refused.inc();
  }

  decided({ desired, actual }: ScalingState, decisions: readonly ScalingDecision[]): void {
    this.desired.reset();
    this.actual.reset();
    for (const [role, count] of Object.entries(desired)) this.desired.set({ role }, count);
    for (const [role, count] of Object.entries(actual)) this.actual.set({ role }, count);
    for (const { role, direction } of decisions) this.decisions.inc({ role, direction });
  }
}
