import { Gauge, type Registry } from "prom-client";

/** Registers instruments for the numbers of GraphQL connections and subscriptions, which are counted when the registry is
 *  read. */
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
  gauge(
    "telemetry_graphql_subscriptions",
    "GraphQL subscriptions, over WebSockets and as events over HTTP",
    subscriptions,
  );
}
