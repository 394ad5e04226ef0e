import { mutated } from "../mutate.ts";
import { WrongInput } from "../subject.ts";
import { type FuzzedGateway, pick } from "./requests.ts";

/** A kind of socket: how a connection begins, what is sent, and how the gateway shows that it has read everything. */
interface SocketKind {
  readonly path: string;
  readonly protocol: string | undefined;
  /** Sent first. */
  readonly hello: string | undefined;
  readonly seeds: readonly string[];
  readonly fence: (id: string) => string;
  readonly isFence: (message: string, id: string) => boolean;
  /** Of so many messages, all are mutated as a whole; others only inside, so that the connection stays. */
  readonly wholeShare: number;
}

const ws: SocketKind = {
  path: "/ws",
  protocol: undefined,
  hello: undefined,
  seeds: [
    '{"type":"subscribe","topic":"telemetry","id":"mine","filters":{"metrics":["gpu_utilization"],"gpu_uuids":["a","b"]},"snapshot":false}',
    '{"type":"subscribe","filters":{"cluster":"c","hostname":"h","namespace":"n","parent_uuid":"p"},"since":"2025-07-18T20:42:34Z"}',
    '{"type":"subscribe","filters":{"hostname":"mtv5-dgx1-hgpu-032"}}',
    ...['{"type":"unsubscribe","id":"mine"}', '{"type":"unsubscribe"}', '{"type":"ping","id":"p"}'],
  ],
  fence: (id) => JSON.stringify({ type: "ping", id }),
  isFence: (message, id) => message === JSON.stringify({ type: "pong", id }),
  wholeShare: 1,
};

const graphql: SocketKind = {
  path: "/graphql",
  protocol: "graphql-transport-ws",
  hello: '{"type":"connection_init"}',
  seeds: [
    "{ gpus(limit: 2) { uuid latest { temperature } } }",
    'subscription { telemetry(hostname: "none", metrics: ["temperature"]) { uuid } }',
    '{ telemetry(startTime: "2025-07-18T20:42:34Z", limit: 3) { records { uuid timestamp } } }',
    'mutation { deleteDeadLetter(id: "x") { id } }',
  ],
  fence: (id) => JSON.stringify({ type: "ping", payload: { id } }),
  isFence: (message, id) => message.includes('"pong"') && message.includes(id),
  wholeShare: 0.03,
};

/** Sends mutated messages over one connection, until the gateway closes it or has answered all.
 *  @returns how many were sent
 *  @throws WrongInput if it does not answer, or answers with an error of its own */
export async function sendMessages(gateway: FuzzedGateway, key: string, random: () => number): Promise<number> {
  const kind = random() < 0.6 ? ws : graphql;
  const messages = Array.from({ length: kind === ws ? 150 : 40 }, (_, at) => messageOf(kind, `o${at}`, random));
  try {
    await converse(gateway, key, { kind, messages });
  } catch (error) {
    throw new WrongInput(JSON.stringify(messages), error);
  }
  return messages.length;
}

function messageOf({ seeds, protocol, wholeShare }: SocketKind, id: string, random: () => number): string | Buffer {
  const seed = Buffer.from(pick(seeds, random));
  if (random() < wholeShare) {
    const whole = mutated(protocol === undefined ? seed : Buffer.from(operation(id, seed.toString())), random);
    return random() < 0.02 ? whole : whole.toString();
  }
  return operation(id, mutated(seed, random).toString());
}

function operation(id: string, query: string): string {
  return JSON.stringify({ id, type: "subscribe", payload: { query } });
}

interface Conversation {
  readonly kind: SocketKind;
  readonly messages: readonly (string | Buffer)[];
}

function converse(
  { url, answerWithinMs }: FuzzedGateway,
  key: string,
  { kind, messages }: Conversation,
): Promise<void> {
  const { path, protocol, hello, fence, isFence } = kind;
  const fenceId = crypto.randomUUID();
  return new Promise((resolve, reject) => {
    // Bun's own option: a page cannot set headers
    const options = { headers: { authorization: `Bearer ${key}` }, ...(protocol && { protocols: [protocol] }) };
    const socket = new WebSocket(url.replace("http", "ws") + path, options as unknown as string[]);
    const timer = setTimeout(
      () => settle(new Error("the gateway does not answer, and the connection stays open")),
      answerWithinMs,
    );
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.close();
      if (error === undefined) resolve();
      else reject(error);
    };
    let isOpen = false;
    socket.onopen = () => {
      isOpen = true;
      for (const message of [...(hello === undefined ? [] : [hello]), ...messages, fence(fenceId)])
        socket.send(message);
    };
    socket.onmessage = ({ data }) => {
      const text = String(data);
      if (/INTERNAL_SERVER_ERROR|internal_error|Unexpected error/.test(text)) settle(new Error(text.slice(0, 2000)));
      else if (isFence(text, fenceId)) settle();
    };
    socket.onclose = ({ code, reason }) => {
      // 1011: the gateway failed
      const isWrong = !isOpen || code === 1011 || code === 4500;
      settle(isWrong ? new Error(`closed with ${code} ${reason}`) : undefined);
    };
  });
}
