import { readFileSync } from "node:fs";
import net from "node:net";
import { textFrame, upgradeRequest } from "../../dev/web-socket-frames.ts";
import { median, quantile } from "../support/statistics.ts";

/** The times from a record's instant until a client receives the record. */
export interface Latency {
  readonly messages: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Clients of a gateway whose latency is measured. */
export interface Clients {
  /** Measures the messages that arrive during the next `seconds`. */
  measure(seconds: number): Promise<Latency>;
  close(): void;
}

const timestampAt = '{"type":"telemetry_update","timestamp":"'.length;

/** Connects one client for each filter; each client reads all its messages. The simulated fleet stamps a record with the instant
 *  at which it is due, so the latency includes the record's generation, queueing and storage. */
export async function connectReaders(url: string, filters: readonly object[]): Promise<Clients> {
  const state = { isMeasuring: false, times: [] as number[] };
  const open = async (filter: object): Promise<WebSocket> => {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const subscribed = Promise.withResolvers<void>();
    socket.onmessage = ({ data }) => {
      const text = data as string;
      if (text.startsWith('{"type":"subscribed"')) subscribed.resolve();
      if (!state.isMeasuring || !text.startsWith('{"type":"telemetry_update"')) return;
      const timestamp = text.slice(timestampAt, text.indexOf('"', timestampAt));
      state.times.push(performance.timeOrigin + performance.now() - Date.parse(timestamp));
    };
    socket.send(JSON.stringify({ type: "subscribe", snapshot: false, filters: filter }));
    await subscribed.promise;
    return socket;
  };
  const sockets: WebSocket[] = [];
  for (const filter of filters) sockets.push(await open(filter));
  return {
    measure: async (seconds) => {
      state.times = [];
      state.isMeasuring = true;
      await Bun.sleep(seconds * 1000);
      state.isMeasuring = false;
      const { times } = state;
      return {
        messages: times.length,
        p50Ms: median(times),
        p99Ms: quantile(times, 0.99),
        maxMs: quantile(times, 1),
      };
    },
    close: () => sockets.forEach((socket) => socket.close()),
  };
}

/** Connects clients that subscribe to everything and never read. @returns a function that closes them */
export async function connectSilent(url: string, count: number): Promise<() => void> {
  const { hostname, port } = new URL(url);
  const sockets: net.Socket[] = [];
  for (let index = 0; index < count; index += 1) {
    const socket = net.connect(Number(port), hostname);
    socket.on("error", () => undefined);
    socket.pause();
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    socket.write(upgradeRequest);
    socket.write(textFrame(JSON.stringify({ type: "subscribe" })));
    sockets.push(socket);
  }
  return () => sockets.forEach((socket) => socket.destroy());
}

/** The resident memory of a process, in MiB. */
export function residentMebibytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}
