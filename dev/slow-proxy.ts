import { openProxyServer } from "./proxy-server.ts";

/** A proxy in front of a server, as if the server were far away or hung. */
export interface SlowProxy {
  readonly port: number;
  /** The time that each piece of the clients' data waits before the server gets it. Infinity: the server gets nothing more. */
  delayMs: number;
  close(): Promise<void>;
}

/** Opens a proxy on a free port of 127.0.0.1. */
export async function openSlowProxy(to: {
  readonly host: string;
  readonly port: number;
  readonly delayMs: number;
}): Promise<SlowProxy> {
  const state = { delayMs: to.delayMs };
  const { port, close } = await openProxyServer(to, (client, upstream) => {
    // one piece after another, so that they stay in order when the delay changes
    let forwarded = Promise.resolve();
    client.on("data", (data) => {
      const dueAtMs = performance.now() + state.delayMs;
      if (dueAtMs === Infinity) return;
      forwarded = forwarded.then(async () => {
        await Bun.sleep(Math.max(0, dueAtMs - performance.now()));
        upstream.write(data);
      });
    });
    upstream.on("data", (data) => void client.write(data));
  });
  return {
    port,
    get delayMs() {
      return state.delayMs;
    },
    set delayMs(ms) {
      state.delayMs = ms;
    },
    close,
  };
}
