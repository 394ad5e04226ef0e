import { Gauge, type Registry } from "prom-client";

/** Puts into the registry how many clients follow something by GraphQL; read when it is asked for. */
export function subscriptionInstruments(
  registry: Registry,
  { connections, subscriptions }: { readonly connections: () => number; readonly subscriptions: () => number },
): void {
  const gauge = (name: string, help: string, count: () => number): void =>
    void new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(count());
      },
    });
  gauge("telemetry_graphql_connections", "Open WebSockets to /graphql", connections);
  gauge("telemetry_graphql_subscriptions", "GraphQL subscriptions, by WebSocket and as events", subscriptions);
}
