import { Counter, Gauge, type Registry } from "prom-client";
import type { CloseReason } from "./live-socket.ts";

/** The counters of events on /ws. */
export interface LiveInstruments {
  readonly errors: Counter<"code">;
  readonly refused: Counter<"reason">;
  readonly closed: Counter<"reason">;
}

/** The current state of /ws. */
export interface LiveState {
  readonly connections: number;
  readonly subscriptions: number;
  readonly behind: number;
  /** Messages sent so far. */
  readonly sent: number;
  /** Records skipped so far: newer records superseded them, or too many arrived during a replay. */
  readonly skipped: number;
}

/** All reasons. Each reason's counter is exposed from the start, with the value 0. */
const closeReasons: readonly CloseReason[] = [
  "client",
  "broken",
  "idle",
  "too_large",
  "slow",
  "flood",
  "shutdown",
  "key_ended",
];

/** Registers the instruments of /ws.
 *  @param state called when the registry is read */
export function liveInstruments(registry: Registry, state: () => LiveState): LiveInstruments {
  registerState(registry, state);
  const registers = [registry];
  const counter = <Label extends string>(label: Label, name: string, help: string) =>
    new Counter({ name, help, labelNames: [label], registers });
  const closed = counter("reason", "telemetry_websocket_closed_total", "Connections that ended, by reason");
  for (const reason of closeReasons) closed.inc({ reason }, 0);
  return {
    closed,
    errors: counter("code", "telemetry_websocket_faults_total", "Requests of clients that got an error, by code"),
    refused: counter("reason", "telemetry_websocket_refused_total", "Connections that were refused, by reason"),
  };
}

function registerState(registry: Registry, state: () => LiveState): void {
  const gauge = (name: string, help: string, field: keyof LiveState): void =>
    void new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(state()[field]);
      },
    });
  // set when the registry is read, because incrementing a Counter takes more than half as long as sending a message
  const counter = (name: string, help: string, field: keyof LiveState): void =>
    void new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(state()[field]);
      },
    });
  gauge("telemetry_websocket_connections", "Open connections to /ws", "connections");
  gauge("telemetry_websocket_subscriptions", "Subscriptions of the open connections", "subscriptions");
  counter("telemetry_websocket_sent_messages_total", "Messages sent to connections", "sent");
  counter(
    "telemetry_websocket_skipped_records_total",
    "Records not sent to a connection, because newer records superseded them or too many arrived during a replay",
    "skipped",
  );
  gauge("telemetry_websocket_behind_connections", "Connections that read more slowly than records arrive", "behind");
}
