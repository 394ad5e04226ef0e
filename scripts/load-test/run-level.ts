import { gatewayInit } from "../gateway/gateway-init.ts";

/** A request that the load test sends. */
export interface Operation {
  /** The name in the table. */
  readonly name: string;
  readonly path: string;
  /** Sent by POST; absent: the request is a GET. */
  readonly json?: unknown;
}

/** So many clients at the same time, each with so many requests one after another. */
export interface Level {
  readonly clients: number;
  readonly operations: number;
}

/** What the requests of one kind took. */
export interface Measured {
  readonly name: string;
  readonly timesMs: readonly number[];
  readonly errors: readonly string[];
  readonly seconds: number;
}

const timeoutMs = 30_000;

/** Sends one kind of request. */
export async function measure(url: string, operation: Operation, { clients, operations }: Level): Promise<Measured> {
  const timesMs: number[] = [];
  const errors: string[] = [];
  const startMs = performance.now();
  const client = async (): Promise<void> => {
    for (let count = 0; count < operations; count += 1) {
      const sentMs = performance.now();
      const error = await errorOf(url, operation);
      if (error === undefined) timesMs.push(performance.now() - sentMs);
      else errors.push(error);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { name: operation.name, timesMs, errors, seconds: (performance.now() - startMs) / 1000 };
}

/** @returns undefined if the answer is complete and a success, also in its body */
async function errorOf(url: string, { path, json }: Operation): Promise<string | undefined> {
  const { headers, ...tls } = gatewayInit(process.env);
  const post = {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(json),
  };
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(
      `${url}${path}`,
      json === undefined ? { headers, signal, ...tls } : { ...post, signal, ...tls },
    );
    const text = await response.text();
    const body = JSON.parse(text) as {
      readonly success?: boolean;
      readonly errors?: unknown;
      readonly status?: string;
    };
    const isGood = response.ok && body.success !== false && body.errors === undefined;
    return isGood ? undefined : `${path} answered ${response.status}: ${text.slice(0, 200)}`;
  } catch (error) {
    return `${path}: ${(error as Error).message}`;
  }
}
