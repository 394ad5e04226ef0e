import { firstMs } from "../query/data.ts";

/** A gateway, and the key of a client. */
export interface Target {
  /** http://host:port */
  readonly url: string;
  readonly key: string;
  /** The GPUs that the store has. */
  readonly uuids: readonly string[];
}

/** A client that costs as much as it can. */
export interface Abuser {
  readonly name: string;
  /** Abuses the gateway until the signal aborts. @param count called with the outcome of each attempt */
  run(target: Target, count: (outcome: string) => void, ended: AbortSignal): Promise<void>;
}

const end = (minutes: number): string => new Date(firstMs + minutes * 60_000).toISOString();
const window = `start_time=${end(0)}&end_time=${end(61)}`;
const aggregates = `/api/v1/telemetry/aggregates?group_by=namespace&resolution=1m&limit=100000&${window}`;

const headersOf = ({ key }: Target): Record<string, string> => ({ authorization: `Bearer ${key}` });

/** Repeats `attempt` in `many` loops until the signal aborts. */
async function loops(many: number, ended: AbortSignal, attempt: (loop: number) => Promise<void>): Promise<void> {
  const loop = async (index: number): Promise<void> => {
    while (!ended.aborted) {
      await attempt(index).catch(() => undefined);
      await Bun.sleep(1);
    }
  };
  await Promise.all(Array.from({ length: many }, (_, index) => loop(index)));
}

/** Requests a path, and reads the answer. A client that gets 429 does not wait: it is no honest one. */
function floodOf(name: string, many: number, path: (uuid: string) => string): Abuser {
  return {
    name,
    run: (target, count, ended) =>
      loops(many, ended, async () => {
        const uuid = target.uuids[Math.floor(Math.random() * target.uuids.length)] ?? "";
        const response = await fetch(target.url + path(uuid), { headers: headersOf(target), signal: ended });
        await response.arrayBuffer();
        count(String(response.status));
      }),
  };
}

const leaving: Abuser = {
  name: "20 aggregates at a time whose clients hang up after 200 ms",
  run: (target, count, ended) =>
    loops(20, ended, async () => {
      const leave = AbortSignal.any([ended, AbortSignal.timeout(200)]);
      const response = await fetch(target.url + aggregates, { headers: headersOf(target), signal: leave }).catch(
        () => undefined,
      );
      count(response === undefined ? "left" : String(response.status));
    }),
};

const graphql: Abuser = {
  name: "5 GraphQL requests at a time, each with 25 aggregates",
  run: (target, count, ended) => {
    const field = `aggregates(groupBy: namespace, startTime: "${end(0)}", endTime: "${end(61)}") { rows { timestamp } }`;
    const query = `{ ${Array.from({ length: 25 }, (_, index) => `a${index}: ${field}`).join(" ")} }`;
    const headers = { ...headersOf(target), "content-type": "application/json" };
    return loops(5, ended, async () => {
      const body = JSON.stringify({ query });
      const response = await fetch(`${target.url}/graphql`, { method: "POST", headers, body, signal: ended });
      count(/"code":"(\w+)"/.exec(await response.text())?.[1] ?? String(response.status));
    });
  },
};

const bombs: Abuser = {
  name: "10 GraphQL bombs at a time",
  run: (target, count, ended) => {
    const nested =
      "{ clusters { hosts { gpus { telemetry(limit: 10000) { gpu { telemetry(limit: 10000) { uuid } } } } } } }";
    const wide = `{ ${"gpus { uuid } ".repeat(600)} }`;
    const headers = { ...headersOf(target), "content-type": "application/json" };
    return loops(10, ended, async (loop) => {
      const body = JSON.stringify({ query: loop % 2 === 0 ? nested : wide });
      const response = await fetch(`${target.url}/graphql`, { method: "POST", headers, body, signal: ended });
      count(/"code":"(\w+)"/.exec(await response.text())?.[1] ?? String(response.status));
    });
  },
};

const slowExports: Abuser = {
  name: "50 exports at a time that are read slowly",
  run: (target, count, ended) =>
    loops(50, ended, async () => {
      const headers = { ...headersOf(target), accept: "text/csv", "accept-encoding": "identity" };
      const response = await fetch(`${target.url}/api/v1/telemetry?${window}`, { headers, signal: ended });
      count(String(response.status));
      if (response.status !== 200) return void (await Bun.sleep(100));
      const reader = response.body?.getReader();
      while ((await reader?.read())?.done === false) await Bun.sleep(1000);
    }),
};

function openSocket({ url, key }: Target): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/ws`, {
    headers: { authorization: `Bearer ${key}` },
  });
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error("refused"));
  });
}

/** Opens sockets, and sends messages over them for as long as they are open. */
function socketsOf(name: string, { many, message }: { many: number; message: (index: number) => string }): Abuser {
  return {
    name,
    run: async (target, count, ended) => {
      const sockets: WebSocket[] = [];
      ended.addEventListener("abort", () => sockets.forEach((socket) => socket.close()));
      let sent = 0;
      await loops(many, ended, async () => {
        const socket = await openSocket(target).catch(() => undefined);
        count(socket === undefined ? "refused" : "opened");
        if (socket === undefined) return void (await Bun.sleep(100));
        sockets.push(socket);
        const closed = new Promise<void>((resolve) => (socket.onclose = () => resolve()));
        while (!ended.aborted && socket.readyState === WebSocket.OPEN) {
          socket.send(message((sent += 1)));
          await Promise.race([Bun.sleep(5), closed]);
        }
      });
    },
  };
}

/** Each abuses in another way. */
export const abusers: readonly Abuser[] = [
  leaving,
  floodOf("20 aggregates at a time", 20, () => aggregates),
  graphql,
  bombs,
  floodOf("20 requests for the coverage at a time", 20, () => `/api/v1/coverage?by=device&limit=10000&${window}`),
  floodOf("64 requests for a GPU's history at a time", 64, (uuid) => `/api/v1/gpus/${uuid}/telemetry?limit=10000`),
  slowExports,
  socketsOf("300 sockets that ask for replays", {
    many: 300,
    message: (index) =>
      JSON.stringify({ type: "subscribe", id: String(index), since: end(0), filters: { hostname: `host-${index}` } }),
  }),
  socketsOf("100 sockets that send 200 messages a second each", { many: 100, message: () => '{"type":"ping"}' }),
];
