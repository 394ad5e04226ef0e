import { type LiveTelemetry, liveTelemetry } from "gpu-telemetry-client";

/** The records that all clients should have got, that they lack, and that they got too often. */
interface Comparison {
  readonly expected: number;
  readonly missed: number;
  readonly repeated: number;
  /** The instants of the missed records, as text. */
  readonly missedInstants: readonly string[];
}

/** Clients of /ws that remember which records they got. */
export interface Followers {
  /** The number of breaks so far. */
  breaks(): number;
  /** The number of clients that have got a record of each GPU. */
  following(gpus: number): number;
  /** Records that a client lacks, among those that a GPU has since the client's first one; and records that it got more often
   *  than its breaks explain.
   *  @param stored each GPU's instants in the database */
  compare(stored: ReadonlyMap<string, readonly number[]>): Comparison;
  close(): void;
}

/** The instants of a client's records with the number of deliveries, by GPU. */
type Received = Map<string, Map<number, number>>;

/** Opens subscriptions with the project's own client. */
export function openFollowers(baseUrl: string, count: number): Followers {
  let breaks = 0;
  const clients = Array.from({ length: count }, () => {
    const received: Received = new Map();
    let ownBreaks = 0;
    const live: LiveTelemetry = liveTelemetry({
      ...{ baseUrl, retryMs: 200, filters: { hostname: "sim-dgx-001" } },
      onUpdate: ({ gpu_uuid, timestamp }) => {
        const instants = received.get(gpu_uuid) ?? new Map<number, number>();
        received.set(gpu_uuid, instants);
        const timeMs = Date.parse(timestamp);
        instants.set(timeMs, (instants.get(timeMs) ?? 0) + 1);
      },
      onBreak: () => {
        ownBreaks += 1;
        breaks += 1;
      },
    });
    return { live, received, breaks: () => ownBreaks };
  });
  return {
    breaks: () => breaks,
    following: (gpus) => clients.filter(({ received }) => received.size === gpus).length,
    compare: (stored) => {
      let [expected, missed, repeated] = [0, 0, 0];
      const missedMs = new Set<number>();
      for (const client of clients) {
        for (const [uuid, instants] of client.received) {
          const firstMs = Math.min(...instants.keys());
          const due = (stored.get(uuid) ?? []).filter((timeMs) => timeMs >= firstMs);
          expected += due.length;
          const lacking = due.filter((timeMs) => !instants.has(timeMs));
          missed += lacking.length;
          for (const timeMs of lacking) missedMs.add(timeMs);
          const extra = [...instants.values()].reduce((sum, deliveries) => sum + deliveries - 1, 0);
          // after a break, the newest record of a GPU may come again, once as replayed and once as the newest
          repeated += Math.max(0, extra - 2 * client.breaks());
        }
      }
      const missedInstants = [...missedMs].toSorted().map((timeMs) => new Date(timeMs).toISOString());
      return { expected, missed, repeated, missedInstants };
    },
    close: () => clients.forEach(({ live }) => live.close()),
  };
}
