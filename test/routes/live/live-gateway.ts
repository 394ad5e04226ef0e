import { expect } from "bun:test";
import net from "node:net";
import type { TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { Registry } from "prom-client";
import { parseConfig } from "../../../src/config/parse-config.ts";
import type { RecordBatch } from "../../../src/domain/batch.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import type { HistoryPage, RecordFilter, StoredRecord } from "../../../src/domain/query.ts";
import { FleetProjection } from "../../../src/routes/fleet/fleet-projection.ts";
import { MemoryHotTier } from "../../../src/pipeline/hot/memory/memory-hot-tier.ts";
import type { HistoryQueries } from "../../../src/pipeline/store/telemetry-queries.ts";
import type { LiveSettings } from "../../../src/routes/live/live-settings.ts";
import { serverMessages } from "../../../src/routes/live/messages.ts";
import { makeBatch, messageOf, type TestRecord } from "../../../dev/make-batch.ts";
import { openMemoryStore } from "../../support/open-store.ts";
import { textFrame, upgradeRequest } from "../../../dev/web-socket-frames.ts";
import { gatewayOver, type TestOptions } from "../gateway.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

/** A message from the server. */
export interface Message extends Record<string, unknown> {
  readonly type: string;
}

/** A listening gateway over a store and a hot tier in memory. */
export type LiveGateway = Awaited<ReturnType<typeof openLiveGateway>>;

/** Opens a gateway on a free port of 127.0.0.1.
 *  @param options parts that replace those of the app; `settings` replaces some settings of /ws */
export async function openLiveGateway(options: TestOptions & { readonly settings?: Partial<LiveSettings> } = {}) {
  const { settings, ...others } = options;
  const store = await openMemoryStore();
  const hotTier = new MemoryHotTier({ onCoalesced: () => undefined });
  const log = unshownLog();
  const fleet = new FleetProjection({ hotTier, store: store.queries.fleet, clock: systemClock, log });
  await fleet.start();
  const stopping = new AbortController();
  const registry = new Registry();
  const webSocket = { ...parseConfig({}), ...settings };
  const around = { read: (read: () => Promise<void>) => read() };
  const history = Object.create(store.queries.history, {
    records: {
      value: async (filter: RecordFilter) => {
        const pages: HistoryPage<StoredRecord>[] = [];
        await around.read(async () => void pages.push(await store.queries.history.records(filter)));
        return pages[0];
      },
    },
  }) as HistoryQueries;
  const queries = { ...store.queries, history };
  const { app, logged } = gatewayOver(store, {
    fleet,
    queries,
    webSocket,
    stopping: stopping.signal,
    registry,
    ...others,
  });
  app.listen({ hostname: "127.0.0.1", port: 0 });
  const port = app.server?.port as number;
  let messages = 0;
  return {
    port,
    url: `ws://127.0.0.1:${port}/ws`,
    stopping,
    app,
    logged,
    fleet,
    /** Publishes records as the newest of their GPUs, without storing them. */
    publish: (...records: TestRecord[]) => hotTier.write(makeBatch(records)),
    /** Stores records, without publishing them. */
    store: async (...records: TestRecord[]) => {
      messages += 1;
      await store.store.ingest(messageOf(`message ${messages}`, makeBatch(records)));
    },
    /** Stores a batch, and then publishes its records. */
    collect: async (batch: RecordBatch) => {
      messages += 1;
      const { contested } = await store.store.ingest(messageOf(`message ${messages}`, batch));
      await hotTier.write(batch, contested);
    },
    /** The value of a Prometheus instrument, summed over its labels; 0 if there is no instrument with this name. */
    instrument: async (name: string) => {
      const instrument = (await registry.getMetricsAsJSON()).find((each) => each.name === name);
      return (instrument?.values ?? []).reduce((sum, { value }) => sum + value, 0);
    },
    /** Replace `read` to act before and after each query of the history. */
    around,
    /** Closes the store; afterwards, every query for the history fails. */
    closeStore: () => store.close(),
    close: async () => {
      stopping.abort();
      await app.stop(true);
      await fleet.stop(AbortSignal.abort());
      await store.close();
    },
  };
}

/** A client that collects the messages of the server, and checks each message against the schema of its type. */
export class LiveClient {
  readonly messages: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  private readonly socket: WebSocket;
  private onReceived: () => void = () => undefined;
  private taken = 0;

  private constructor(url: string) {
    this.socket = new WebSocket(url);
    this.socket.onmessage = ({ data }) => {
      const message = JSON.parse(data as string) as Message;
      const schema = (serverMessages as Record<string, TSchema>)[message.type];
      expect(schema === undefined ? [message] : [...Value.Errors(schema, message)]).toEqual([]);
      this.messages.push(message);
      this.onReceived();
    };
    this.closed = new Promise((resolve) => {
      this.socket.onclose = ({ code, reason }) => resolve({ code, reason });
    });
  }

  static async open({ url }: { readonly url: string }): Promise<LiveClient> {
    const client = new LiveClient(url);
    await new Promise<void>((resolve, reject) => {
      client.socket.onopen = () => resolve();
      client.socket.onerror = () => reject(new Error(`no connection to ${url}`));
    });
    return client;
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  /** Sends a message and resolves with the next message of the server that was not returned yet. */
  ask(message: unknown): Promise<Message> {
    this.send(message);
    return this.next();
  }

  /** The next message that was not returned yet. */
  async next(): Promise<Message> {
    await this.until(() => this.messages.length > this.taken);
    this.taken += 1;
    return this.messages[this.taken - 1] as Message;
  }

  async take(count: number): Promise<Message[]> {
    const taken: Message[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }

  /** Resolves when the condition is met; if it never is, the test ends at its own timeout. */
  async until(isMet: () => boolean): Promise<void> {
    while (!isMet()) await new Promise<void>((resolve) => (this.onReceived = resolve));
  }

  /** Sends a ping and waits for its pong. All messages that the server sent before the pong have then arrived. */
  async settle(): Promise<void> {
    const id = `settle ${this.messages.length}`;
    this.send({ type: "ping", id });
    await this.until(() => this.messages.some((message) => message.type === "pong" && message["id"] === id));
  }

  close(): void {
    this.socket.close();
  }
}

/** A client that sends messages and reads nothing until its socket is resumed. */
export async function openSilentClient(port: number, messages: readonly unknown[] = []): Promise<net.Socket> {
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  socket.write(upgradeRequest);
  for (const message of messages) socket.write(textFrame(JSON.stringify(message)));
  return socket;
}
