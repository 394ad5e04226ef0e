/** A request that failed. */
export interface FailedRequest {
  readonly what: string;
  readonly startedAtMs: number;
}

/** What the clients of HTTP have seen so far. */
export interface Load {
  readonly failed: readonly FailedRequest[];
  /** The requests that have got a whole response. */
  answered(): number;
  /** The requests that wait for one. */
  inFlight(): number;
  /** Starts no more requests, and waits for those in flight. */
  stop(): Promise<void>;
}

const roundMs = 50;
const query = { query: "{ gpus(limit: 5) { uuid hostname } }" };

/** Sends requests at a steady rate: REST and GraphQL in turn, on kept connections and on new ones. */
export function startLoad(url: string, perSecond: number): Load {
  const failed: FailedRequest[] = [];
  const open = new Set<Promise<void>>();
  const startedAtMs = performance.now();
  let [started, answered] = [0, 0];
  const requests: ((keepalive: boolean) => Promise<Response>)[] = [
    (keepalive) => fetch(`${url}/api/v1/gpus?limit=20`, { keepalive }),
    (keepalive) =>
      fetch(`${url}/graphql`, {
        ...{ method: "POST", keepalive, body: JSON.stringify(query) },
        headers: { "content-type": "application/json" },
      }),
    (keepalive) => fetch(`${url}/api/v1/telemetry?limit=20`, { keepalive }),
  ];
  const send = async (index: number): Promise<void> => {
    const sentAtMs = performance.now();
    try {
      const response = await requests[index % requests.length]?.(index % 2 === 0);
      const body = await response?.text();
      if (response?.status === 200) answered += 1;
      else failed.push({ what: `${response?.status}: ${body}`, startedAtMs: sentAtMs });
    } catch (error) {
      failed.push({ what: String(error), startedAtMs: sentAtMs });
    }
  };
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAtMs) / 1000) * perSecond;
    for (; started < due; started += 1) {
      const request = send(started);
      open.add(request);
      void request.then(() => open.delete(request));
    }
  }, roundMs);
  return {
    failed,
    answered: () => answered,
    inFlight: () => open.size,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}
