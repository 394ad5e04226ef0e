import { Counter, Gauge, type Registry } from "prom-client";
import type { CloseReason } from "./live-socket.ts";

/** What is counted of /ws. */
export interface LiveInstruments {
  readonly faults: Counter<"code">;
  readonly refused: Counter<"reason">;
  readonly closed: Counter<"reason">;
}

/** The state of /ws at a moment. */
export interface LiveState {
  readonly connections: number;
  readonly subscriptions: number;
  readonly behind: number;
  /** Messages sent so far. */
  readonly sent: number;
  /** Records so far that a newer one stood in for. */
  readonly skipped: number;
}

/** Every reason is there from the beginning, with 0. */
const closeReasons: readonly CloseReason[] = ["client", "broken", "idle", "too_large", "slow", "shutdown"];

/** Puts the metrics of /ws into the registry. */
export function liveInstruments(registry: Registry, state: () => LiveState): LiveInstruments {
  showState(registry, state);
  const registers = [registry];
  const by = <Label extends string>(label: Label, name: string, help: string) =>
    new Counter({ name, help, labelNames: [label], registers });
  const closed = by("reason", "telemetry_websocket_closed_total", "Connections that ended, by reason");
  for (const reason of closeReasons) closed.inc({ reason }, 0);
  return {
    closed,
    faults: by("code", "telemetry_websocket_faults_total", "Messages of clients that could not be used, by code"),
    refused: by("reason", "telemetry_websocket_refused_total", "Connections that were refused, by reason"),
  };
}

function showState(registry: Registry, state: () => LiveState): void {
  const gauge = (name: string, help: string, of: keyof LiveState): void =>
    void new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(state()[of]);
      },
    });
  // read when it is asked for: counting each message by a Counter would cost more than half of sending it
  const counter = (name: string, help: string, of: keyof LiveState): void =>
    void new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(state()[of]);
      },
    });
  gauge("telemetry_websocket_connections", "Open connections to /ws", "connections");
  gauge("telemetry_websocket_subscriptions", "Subscriptions of these connections", "subscriptions");
  counter("telemetry_websocket_sent_messages_total", "Messages sent to connections", "sent");
  counter(
    "telemetry_websocket_skipped_records_total",
    "Records that a newer one of the same GPU stood in for, of connections that were behind",
    "skipped",
  );
  gauge("telemetry_websocket_behind_connections", "Connections that read more slowly than records come", "behind");
}
