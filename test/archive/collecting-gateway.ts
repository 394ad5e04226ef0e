import { decodeBatch } from "../../src/pipeline/queue/batch-codec.ts";
import { gatewayOver, openFleetStore, type FleetRecord, type TestGateway } from "../routes/gateway.ts";
import { listening } from "../support/listening.ts";

/** A gateway that listens, over a store that gets what is pushed to it. */
export interface CollectingGateway {
  readonly stored: Awaited<ReturnType<typeof openFleetStore>>;
  readonly gateway: TestGateway;
  readonly port: number;
  close(): Promise<void>;
}

/** Opens one over a store in memory.
 *  @param records what the store has at first */
export async function openCollectingGateway(records: readonly FleetRecord[]): Promise<CollectingGateway> {
  const stored = await openFleetStore(records);
  const gateway = gatewayOver(stored);
  const port = await listening(gateway);
  const stopped = new AbortController();
  const collecting = collect(gateway, stored.store, stopped.signal);
  return {
    ...{ stored, gateway, port },
    close: async () => {
      stopped.abort();
      await collecting;
      await gateway.app.stop(true);
      await stored.close();
    },
  };
}

/** Stores what is published, as a collector does. */
async function collect(
  { queue }: TestGateway,
  store: CollectingGateway["stored"]["store"],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const deliveries = await queue.claim({ consumerId: "test", maxMessages: 1, signal });
    for (const { envelope, ...encoded } of deliveries) {
      const batch = decodeBatch({ ...envelope, ...encoded });
      await store.ingest({ ...envelope, messageId: envelope.id, batch });
    }
    await queue.acknowledge(deliveries);
  }
}
