import { Counter, Gauge, type Registry } from "prom-client";
import type { Requester } from "../access/requester.ts";

/** Why a client was refused. */
export type CostRefusal = "rate" | "queue_waiting" | "queue_time" | "rows" | Held;
/** What a client holds for as long as it wants. */
export type Held = "sockets" | "subscriptions" | "exports";

/** Names beyond these share the label `other`. */
const maxNames = 100;

/** What clients cost, by the names of their keys. Requests without a key have the label `none`, those of people `people`. */
export class ClientInstruments {
  private readonly names = new Set<string>();
  private readonly requests: Counter<"client">;
  private readonly refusals: Counter<"client" | "reason">;
  private readonly rows: Counter<"client">;
  private readonly queueSeconds: Counter<"client">;
  private readonly held: Gauge<"client" | "kind">;
  private readonly heavy: Gauge<"client">;

  constructor(registry: Registry) {
    const registers = [registry];
    const client = ["client"] as const;
    this.requests = new Counter({
      name: "telemetry_client_requests_total",
      help: "Requests, operations and messages over sockets, by the name of the key",
      labelNames: client,
      registers,
    });
    this.refusals = new Counter({
      name: "telemetry_client_refused_total",
      help: "Requests, questions, sockets, subscriptions and exports that were refused for their costs, by reason",
      labelNames: ["client", "reason"],
      registers,
    });
    this.rows = new Counter({
      name: "telemetry_client_rows_total",
      help: "Rows that the database read for the client, as estimated",
      labelNames: client,
      registers,
    });
    this.queueSeconds = new Counter({
      name: "telemetry_client_queue_seconds_total",
      help: "Time that the client's questions have waited for their turn",
      labelNames: client,
      registers,
    });
    this.held = new Gauge({
      name: "telemetry_client_held",
      help: "Open sockets, subscriptions and running exports",
      labelNames: ["client", "kind"],
      registers,
    });
    this.heavy = new Gauge({
      name: "telemetry_client_heavy_queries",
      help: "Heavy questions that the database answers now",
      labelNames: client,
      registers,
    });
  }

  requested(requester: Requester): void {
    this.requests.inc({ client: this.nameOf(requester) });
  }

  refused(requester: Requester, reason: CostRefusal): void {
    this.refusals.inc({ client: this.nameOf(requester), reason });
  }

  read(requester: Requester, rows: number): void {
    this.rows.inc({ client: this.nameOf(requester) }, rows);
  }

  waited(requester: Requester, ms: number): void {
    this.queueSeconds.inc({ client: this.nameOf(requester) }, ms / 1000);
  }

  /** @param change 1 or -1 */
  holds(requester: Requester, kind: Held, change: number): void {
    this.held.inc({ client: this.nameOf(requester), kind }, change);
  }

  /** @param change 1 or -1 */
  asksHeavy(requester: Requester, change: number): void {
    this.heavy.inc({ client: this.nameOf(requester) }, change);
  }

  private nameOf({ caller }: Requester): string {
    const { id, name } = caller.grant;
    if (id === "") return "none";
    // people choose their names, and there could be more of them than labels
    if (caller.kind === "session" || caller.kind === "token") return "people";
    if (this.names.size < maxNames) this.names.add(name);
    return this.names.has(name) ? name : "other";
  }
}
