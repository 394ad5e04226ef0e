import { untilResolved } from "../../dev/until.ts";

/** The times from the scheduled instants of scrapes until their records can be read, in milliseconds. */
export interface Freshness {
  /** Until a client that follows the newest state over /ws has the record. */
  readonly newestMs: readonly number[];
  /** Until the history over REST has the record, for a share of the records. */
  readonly historyMs: readonly number[];
}

/** A client of the gateway that notes when it can read each record. */
export interface FreshnessClient {
  /** Begins to note the records of scrapes that are due at an instant of this range. */
  measure(fromMs: number, toMs: number): void;
  /** Of the records so far. Rejects if the history lacked a record for 10 s, or if the connection has ended. */
  result(): Promise<Freshness>;
  close(): void;
}

const updateStart = '{"type":"telemetry_update","timestamp":"';
/** One of this many records is read from the history: about seven queries a second with 10,000 GPUs at 15 s. */
const recordsPerQuery = 100;

/** Follows the newest records of all GPUs, with one metric each. The history is asked as soon as /ws has the record, so its times are
 *  those of a client that has to be told; one that asks all the time may have the record sooner. */
export async function followFreshness(gatewayUrl: string): Promise<FreshnessClient> {
  const newestMs: number[] = [];
  const queries: Promise<number>[] = [];
  let range = { fromMs: Infinity, toMs: Infinity };
  let closed: string | undefined;
  const socket = new WebSocket(`${gatewayUrl.replace("http:", "ws:")}/ws`);
  const subscribed = Promise.withResolvers<void>();
  socket.onclose = ({ code }) => {
    closed = `the gateway has closed /ws with ${code}`;
    subscribed.reject(new Error(closed));
  };
  socket.onopen = () =>
    socket.send(JSON.stringify({ type: "subscribe", snapshot: false, filters: { metrics: ["temperature"] } }));
  socket.onmessage = ({ data }) => {
    const text = data as string;
    if (text.startsWith('{"type":"subscribed"')) subscribed.resolve();
    if (!text.startsWith(updateStart)) return;
    const timestamp = text.slice(updateStart.length, text.indexOf('"', updateStart.length));
    const dueMs = Date.parse(timestamp);
    if (dueMs < range.fromMs || dueMs >= range.toMs) return;
    newestMs.push(Date.now() - dueMs);
    if (newestMs.length % recordsPerQuery !== 0) return;
    const { gpu_uuid: uuid } = JSON.parse(text) as { gpu_uuid: string };
    queries.push(untilInHistory(`${gatewayUrl}/api/v1/gpus/${uuid}/telemetry`, timestamp).then((atMs) => atMs - dueMs));
  };
  await subscribed.promise;
  return {
    measure: (fromMs, toMs) => void (range = { fromMs, toMs }),
    result: async () => {
      const historyMs = await Promise.all(queries);
      if (closed !== undefined) throw new Error(closed);
      return { newestMs, historyMs };
    },
    close: () => socket.close(),
  };
}

/** @returns the instant at which the answer has the record */
async function untilInHistory(url: string, timestamp: string): Promise<number> {
  const query = new URLSearchParams({ start_time: timestamp, end_time: timestamp, metrics: "temperature" });
  const address = `${url}?${query.toString()}`;
  return untilResolved(
    async () => {
      const response = await fetch(`${address}`);
      const { data } = (await response.json()) as { data?: readonly unknown[] };
      if (data?.length !== 1) throw new Error(`${address} has ${data?.length ?? "no"} records: ${response.status}`);
      return Date.now();
    },
    { timeoutMs: 10_000, everyMs: 50 },
  );
}
