import { Registry } from "prom-client";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import type { AggregateQueries, Questions } from "../../src/pipeline/store/telemetry-queries.ts";
import type { CostLimits } from "../../src/roles/gateway-routes.ts";
import { securedParts } from "../routes/access/secured-gateway.ts";
import { gatewayOver } from "../routes/gateway.ts";
import { listening } from "../support/listening.ts";

/** A question that the store has begun to answer, and keeps until it is let go. */
interface KeptQuestion {
  readonly groupBy: string;
  readonly letGo: () => void;
}

export interface AbusedOptions {
  readonly limits?: Partial<CostLimits>;
  readonly rateLimitPerSecond?: number;
}

const limitsOfKeys: CostLimits = { heavyPerClient: 2, rowsPerMinute: 0, sockets: 5, subscriptions: 5, exports: 2 };

/** A gateway that listens and needs keys, with a key of an honest client and one of an abuser, which have the same address. The
 *  store keeps each aggregate until it is let go, so that the order of the answers shows. */
export async function openAbusedGateway(store: OpenStore, { limits = {}, rateLimitPerSecond = 0 }: AbusedOptions = {}) {
  const secured = securedParts(store);
  const registry = new Registry();
  const kept: KeptQuestion[] = [];
  const byGroup =
    (aggregates: AggregateQueries, signal: AbortSignal): AggregateQueries["byGroup"] =>
    async (filter) => {
      const turn = Promise.withResolvers<void>();
      kept.push({ groupBy: filter.groupBy, letGo: turn.resolve });
      signal.addEventListener("abort", () => turn.resolve());
      await turn.promise;
      return aggregates.byGroup(filter);
    };
  const questions: Questions = {
    atATime: { light: 3, heavy: 4 },
    size: () => store.questions.size(),
    ask: (weight, signal) => {
      const queries = store.questions.ask(weight, signal);
      const { aggregates } = queries;
      return Object.create(queries, {
        aggregates: {
          value: Object.create(aggregates, { byGroup: { value: byGroup(aggregates, signal) } }) as unknown,
        },
      }) as typeof queries;
    },
  };
  const gateway = gatewayOver(
    { ...store, questions },
    {
      ...secured.parts,
      http: { rateLimitPerSecond, trustsForwardedFor: true, corsOrigins: undefined },
      costs: { ...limitsOfKeys, ...limits },
      registry,
    },
  );
  const port = await listening(gateway);
  const [abuser, honest] = [await secured.create("read"), await secured.create("read", "operate")];
  const behindProxy = { "x-forwarded-for": "192.0.2.1" };
  const headersOf = ({ headers }: typeof honest) => ({ ...headers, ...behindProxy });
  return {
    port,
    kept,
    abuser,
    honest,
    /** @returns the status of the answer, which is read completely */
    status: async (who: typeof honest, path: string, more: RequestInit = {}): Promise<number> => {
      const headers = { ...headersOf(who), ...(more.headers as Record<string, string> | undefined) };
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...more, headers });
      await response.arrayBuffer();
      return response.status;
    },
    request: (who: typeof honest, path: string, more: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${port}${path}`, {
        ...more,
        headers: { ...headersOf(who), ...(more.headers as Record<string, string> | undefined) },
      }),
    /** Opens a socket. @returns undefined if it is refused */
    socket: (who: typeof honest, path = "/ws"): Promise<WebSocket | undefined> => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: headersOf(who) });
      return new Promise((resolve) => {
        socket.onopen = () => resolve(socket);
        socket.onerror = () => resolve(undefined);
      });
    },
    metric: async (name: string): Promise<number> => {
      const line = (await registry.metrics()).split("\n").find((each) => each.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length + 1));
    },
    close: () => gateway.app.stop(true),
  };
}
