/** A request to the receiver, in the order of their arrival. */
export interface Delivery {
  /** The name of the delivery. */
  readonly name: string;
  /** `firing ID` or `resolved ID` of each fault. */
  readonly alerts: readonly string[];
}

/** A receiver of webhooks that accepts everything. */
export interface Receiver {
  readonly url: string;
  readonly deliveries: readonly Delivery[];
  stop(): Promise<void>;
}

interface Body {
  readonly alerts: readonly { readonly status: string; readonly annotations: Readonly<Record<string, string>> }[];
}

/** Starts a receiver. */
export function startReceiver(): Receiver {
  const deliveries: Delivery[] = [];
  const server = Bun.serve({
    ...{ port: 0, hostname: "localhost" },
    fetch: async (request) => {
      const { alerts } = (await request.json()) as Body;
      const name = request.headers.get("X-Telemetry-Delivery") ?? "";
      const told = alerts.map(({ status, annotations }) => `${status} ${annotations.fault_id}`);
      deliveries.push({ name, alerts: told });
      return new Response();
    },
  });
  return { url: `http://localhost:${server.port}/`, deliveries, stop: () => server.stop(true) };
}
