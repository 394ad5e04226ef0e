import { Gauge, type Registry } from "prom-client";
import type { FairTurns } from "../../../kit/fair-turns.ts";

/** Registers the numbers of questions that run and wait, which are read when the registry is. */
export function turnInstruments(registry: Registry, turns: Readonly<Record<string, FairTurns>>): void {
  const gauge = (name: string, help: string, count: (of: FairTurns) => number): void =>
    void new Gauge({
      name,
      help,
      labelNames: ["weight"],
      registers: [registry],
      collect() {
        for (const [weight, of] of Object.entries(turns)) this.set({ weight }, count(of));
      },
    });
  gauge("telemetry_queries_running", "Questions of clients that the database answers now", ({ running }) => running);
  gauge("telemetry_queries_waiting", "Questions of clients that wait for their turn", ({ waiting }) => waiting);
}
