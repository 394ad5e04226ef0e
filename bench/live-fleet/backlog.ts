/** The most that waited in the queue, of all samples. */
export interface Backlog {
  /** Messages, waiting or claimed. */
  readonly depth: number;
  /** Age of the oldest message. */
  readonly lagSeconds: number;
}

const everyMs = 1000;

/** Asks a gateway for the queue's depth and lag, every second until an instant.
 *  @throws Error if the gateway does not answer */
export async function followBacklog(gatewayUrl: string, untilMs: number): Promise<Backlog> {
  let most: Backlog = { depth: 0, lagSeconds: 0 };
  while (Date.now() < untilMs) {
    const response = await fetch(`${gatewayUrl}/api/v1/pipeline`);
    if (!response.ok) throw new Error(`/api/v1/pipeline: ${response.status} ${await response.text()}`);
    const { data } = (await response.json()) as {
      data: { queue: { depth: number; lag_seconds: number } };
    };
    const { depth, lag_seconds: lagSeconds } = data.queue;
    most = { depth: Math.max(most.depth, depth), lagSeconds: Math.max(most.lagSeconds, lagSeconds) };
    await Bun.sleep(Math.max(0, Math.min(everyMs, untilMs - Date.now())));
  }
  return most;
}
