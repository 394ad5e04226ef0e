import net from "node:net";
import { mutated } from "../mutate.ts";
import { must, WrongInput } from "../subject.ts";

/** A gateway that is sent mutated inputs. */
export interface FuzzedGateway {
  readonly url: string;
  readonly processId: number;
  /** An answer that takes longer does not come, milliseconds. */
  readonly answerWithinMs: number;
  output(): string;
  isAlive(): boolean;
}

const uuid = "GPU-5fd4f087-86f3-7a43-b711-4771313afc50";
const range = "start_time=2025-07-18T20:42:34Z&end_time=2025-07-18T20:42:37Z";
const targets = [
  ...[
    "/api/v1/gpus?limit=2&state=active",
    `/api/v1/gpus/${uuid}`,
    `/api/v1/gpus/${uuid}/telemetry?${range}&limit=3&order=asc`,
  ],
  ...[
    `/api/v1/gpus/${uuid}/changes?${range}`,
    "/api/v1/hosts?limit=3",
    "/api/v1/clusters",
    "/api/v1/clusters/local-cluster/stats",
  ],
  ...[
    "/api/v1/telemetry/latest?limit=3&metrics=temperature",
    `/api/v1/telemetry?${range}&limit=5&resolution=1m`,
    "/api/v1/metrics/series",
  ],
  ...[
    `/api/v1/telemetry/aggregates?group_by=host&resolution=1h&${range}`,
    "/api/v1/coverage?group_by=cluster&step=total",
    "/api/v1/audit?limit=3",
  ],
  ...[
    "/api/v1/inventory?kind=host&limit=2",
    "/api/v1/targets?state=up",
    "/api/v1/services",
    "/api/v1/archive?cluster_id=alpha&limit=2",
    "/api/v1/scaling/backlog",
    "/api/v1/pipeline/dead-letters",
  ],
  ...[
    "/graphql?query={gpus{uuid}}",
    "/swagger/swagger.yaml",
    "/swagger/",
    "/docs",
    "/health",
    "/metrics",
    "/ws",
    "/api/v1/quarantine?limit=3",
    "/api/v1/csv/uploads?limit=2",
    "/api/v1/csv/uploads/01K0FJ2Q0J8M3S6T9V2W5X8Y1Z",
  ],
];
const changes = [
  ...[
    "/api/v1/inventory/maintenance?hostname=nowhere",
    "/api/v1/inventory/declare?hostname=x&gpus=8",
    "/api/v1/keys?name=x&scopes=read",
  ],
  ...["/api/v1/csv/upload?hostname=lab", "/api/v1/csv/uploads/01K0FJ2Q0J8M3S6T9V2W5X8Y1Z"],
  ...["/api/v1/tickets", "/api/v1/pipeline/dead-letters/01K0F3Z8Q4W5X6Y7Z8A9B0C1D2/redrive", "/graphql"],
];
const bodies = [
  '{"query":"query($n:Int){gpus(limit:$n){uuid hostname latest{temperature}}}","variables":{"n":2}}',
  '{"query":"mutation{deleteDeadLetter(id:\\"x\\"){id}}","operationName":null}',
  '[{"query":"{clusters{id}}"}]',
];
const headerSeeds: readonly (readonly [string, string])[] = [
  ["accept", "text/csv, application/json;q=0.5"],
  ["accept-encoding", "zstd, gzip"],
  ["if-none-match", 'W/"a", "b"'],
  ["origin", "http://localhost:8080"],
  ["sec-fetch-site", "same-origin"],
  ["content-type", "application/json"],
  ["x-forwarded-for", "1.2.3.4, [::1]:80"],
  ["host", "localhost:8080"],
  ["cookie", "a=b; __Host-session=x"],
  ["authorization", "Basic YTpi"],
  ["upgrade", "websocket"],
];

/** Codes of 503 that say what the gateway cannot know or will not do now, not that it failed. */
const expectedCodes = ["figure_unknown", "query_too_costly", "no_room", "too_many_requests", "too_busy"];

/** Sends a mutated request with `fetch`. @throws WrongInput if the answer is an error of the gateway, or does not come */
export async function sendRequest(gateway: FuzzedGateway, key: string, random: () => number): Promise<void> {
  const isChange = random() < 0.3;
  const target = mutated(Buffer.from(pick(isChange ? changes : targets, random)), random).toString("latin1");
  const init = {
    method: isChange ? pick(["POST", "DELETE", "PUT"], random) : pick(["GET", "GET", "GET", "HEAD", "OPTIONS"], random),
  };
  const shownKey = random() < 0.9 ? key : mutated(Buffer.from(key), random).toString("latin1");
  const headers: Record<string, string> = { authorization: `Bearer ${shownKey}` };
  const [name, value] = pick(headerSeeds, random);
  if (random() < 0.4) headers[name] = mutated(Buffer.from(value), random).toString("latin1");
  if (isChange && random() < 0.7) headers["content-type"] = "application/json";
  const body = isChange && random() < 0.7 ? mutated(Buffer.from(pick(bodies, random)), random) : undefined;
  const input = JSON.stringify({
    ...init,
    target,
    headers: { ...headers, authorization: "" },
    body: body?.toString("latin1"),
  });
  const request = requestOf(`${gateway.url}/${target.replace(/^\//, "")}`, { ...init, headers, ...(body && { body }) });
  if (request === undefined) return;
  try {
    const answer = await fetch(request, { redirect: "manual", signal: AbortSignal.timeout(gateway.answerWithinMs) });
    const text = await answer.text();
    // a HEAD does not say why
    if (init.method !== "HEAD" || answer.status !== 503) check(answer.status, text);
  } catch (error) {
    throw new WrongInput(input, error);
  }
}

/** Sends mutated bytes of a request over a connection of its own, and closes its half. @throws WrongInput as `sendRequest` does */
export async function sendBytes(gateway: FuzzedGateway, key: string, random: () => number): Promise<void> {
  const [target, isChange] = random() < 0.7 ? [pick(targets, random), false] : [pick(changes, random), true];
  const body = isChange ? pick(bodies, random) : "";
  const [name, value] = pick(headerSeeds, random);
  const lines = [
    `${isChange ? "POST" : "GET"} ${target} HTTP/1.1`,
    ...["Host: localhost", `Authorization: Bearer ${key}`, `${name}: ${value}`],
    ...(isChange ? ["Content-Type: application/json", `Content-Length: ${body.length}`] : []),
  ];
  const bytes = mutated(Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`), random);
  try {
    const received = await exchange(gateway, bytes);
    for (const [, status] of received.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)) check(Number(status), received);
  } catch (error) {
    throw new WrongInput(bytes.toString("base64"), error);
  }
}

function check(status: number, text: string): void {
  if (status === 503 && expectedCodes.some((code) => text.includes(`"${code}"`))) return;
  // 505: the server itself speaks no other version of HTTP
  must(status < 500 || status === 505, `${status}: ${text.slice(0, 2000)}`);
  must(!/"INTERNAL_SERVER_ERROR"|Unexpected error/.test(text), text.slice(0, 2000));
}

/** Sends bytes, and reads until the gateway closes the connection, or has answered and is silent for a moment. */
function exchange({ url, answerWithinMs }: FuzzedGateway, bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let received = "";
    const timer = setTimeout(() => settle(new Error("no answer, and the connection stays open")), answerWithinMs);
    const socket = net.connect(Number(port), hostname, () => socket.end(bytes));
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve(received);
      else reject(error);
    };
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (received.includes("\r\n\r\n")) setTimeout(settle, 5);
    });
    socket.on("close", () => settle());
    // the gateway may close the connection while bytes are on their way
    socket.on("error", () => settle());
  });
}

/** One of the items. */
export function pick<Item>(items: readonly Item[], random: () => number): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

/** @returns undefined if `fetch` can send no such request */
function requestOf(url: string, init: RequestInit): Request | undefined {
  try {
    return new Request(url, init);
  } catch {
    return undefined;
  }
}
