import { keyIdOf } from "../../../src/access/key-text.ts";
import { HostNames } from "../../../src/kit/host-names.ts";
import { readHostPort } from "../../../src/kit/host-port.ts";
import { clientNetwork, isLoopback } from "../../../src/kit/ip-address.ts";
import { historyRequestOf, fleetHistoryQuery, latestQuery } from "../../../src/routes/answers/history-request.ts";
import { clientAddress } from "../../../src/routes/http/access/client-address.ts";
import { credentialOf } from "../../../src/routes/http/access/credentials.ts";
import { ApiError } from "../../../src/routes/http/api-error.ts";
import { OriginRule } from "../../../src/routes/http/door/origin-rule.ts";
import { pathOf } from "../../../src/routes/http/door/request-path.ts";
import { encodingOf, formatOf } from "../../../src/routes/http/formats/negotiate.ts";
import { accepts } from "../../../src/routes/http/parameters/accepts.ts";
import type { Parameters } from "../../../src/routes/http/parameters/parameter.ts";
import { readMessage } from "../../../src/routes/live/read-message.ts";
import { subscriptionRequestOf } from "../../../src/routes/live/subscription-request.ts";
import { coverageQuery } from "../../../src/routes/resources/coverage/coverage-query.ts";
import { gpuPageQuery } from "../../../src/routes/resources/gpus/gpu-page.ts";
import {
  declareQuery,
  inventoryQuery,
  maintenanceQuery,
} from "../../../src/routes/resources/inventory/inventory-query.ts";
import { aggregateFilterOf, aggregateQuery } from "../../../src/routes/resources/telemetry/aggregate-query.ts";
import { targetPageQuery } from "../../../src/routes/resources/targets/targets-query.ts";
import { selectorOf } from "../../../src/routes/schemas/gpu-selector.ts";
import { mutated } from "../mutate.ts";
import { must, type Subject, textSubject, WrongInput } from "../subject.ts";

const key = `gtp_3f9ac02b1d_${"A".repeat(43)}`;
const nowMs = Date.UTC(2026, 0, 1);

/** Routes' queries, with values that are usable. */
const queries: readonly (readonly [Parameters, string, (values: never) => unknown])[] = [
  [
    fleetHistoryQuery,
    "start_time=2025-07-18T20:42:34Z&end_time=2025-07-18T20:42:37.5%2B02:00&limit=10&metrics=temperature,gpu_utilization&order=asc&resolution=auto",
    (values) => historyRequestOf(values, {}, nowMs),
  ],
  [
    fleetHistoryQuery,
    `cursor=${Buffer.from("1752871354000:4200000000000").toString("base64url")}&gpu_uuid=GPU-1&namespace=`,
    (values) => historyRequestOf(values, {}, nowMs),
  ],
  [
    latestQuery,
    "limit=10000&hostname=h&cluster_id=c&gpu_id=0&model=H100&metrics=xid_errors%7Bxid%3D%2231%22%7D",
    selectorOf,
  ],
  [
    gpuPageQuery,
    `limit=5&state=active&status=silent&parent_uuid=GPU-1&cursor=${Buffer.from(JSON.stringify(["h", 0, "GPU-1"])).toString("base64url")}`,
    selectorOf,
  ],
  [
    aggregateQuery,
    "group_by=gpu&resolution=1m&start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z&metrics=temperature&expected=false",
    (values) => aggregateFilterOf(values, nowMs),
  ],
  [
    coverageQuery,
    `group_by=device&step=hour&limit=10&cursor=${Buffer.from(JSON.stringify([1752871354000, "c", "h", "u"])).toString("base64url")}`,
    (values) => values,
  ],
  [
    inventoryQuery,
    `kind=host&state=maintenance&seen=yes&limit=3&cursor=${Buffer.from(JSON.stringify(["c", "h", ""])).toString("base64url")}`,
    (values) => values,
  ],
  [
    maintenanceQuery,
    "hostname=h&start_time=2025-07-18T20:00:00Z&end_time=2025-07-18T21:00:00Z&note=new%20fans",
    (values) => values,
  ],
  [declareQuery, "hostname=h&gpus=8&cluster_id=lab", (values) => values],
  [
    targetPageQuery,
    `state=up&kind=exporter&cursor=${Buffer.from(JSON.stringify(["c", "t", "id"])).toString("base64url")}`,
    (values) => values,
  ],
];

const messages = [
  '{"type":"subscribe","topic":"telemetry","id":"mine","filters":{"metrics":["gpu_utilization","xid_errors{xid=\\"31\\"}"],"gpu_uuids":["a","b"]},"snapshot":false}',
  '{"type":"subscribe","filters":{"cluster":"c","cluster_id":"c","hostname":"h","namespace":"n","parent_uuid":"p"},"since":"2025-07-18T20:42:34Z"}',
  '{"type":"unsubscribe","id":"1"}',
  '{"type":"ping","id":"p"}',
];

/** Readers of what clients send: parameters, cursors, messages and headers. */
export function requestSubjects(): Subject[] {
  return [
    { name: "parameters and cursors", run: readQueries },
    textSubject({ name: "messages of /ws", seeds: messages, read: readWsMessage }),
    textSubject({
      name: "Host and Origin",
      seeds: [
        "localhost:8080",
        "[::1]:80",
        "gateway.example.org.",
        "127.0.0.1",
        "https://a.example",
        "a..b:99999",
        "[::ffff:127.0.0.1]",
      ],
      read: readHost,
    }),
    textSubject({
      name: "X-Forwarded-For",
      seeds: ["1.2.3.4, 10.0.0.7", "[2001:db8::1]:443", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3.4:80,,"],
      read: readForwardedFor,
    }),
    textSubject({
      name: "keys, credentials, tickets and cookies",
      seeds: [
        `Bearer ${key}`,
        `basic ${Buffer.from(`any:${key}`).toString("base64")}`,
        `/ws?ticket=abc-_&x=1`,
        key,
        "s=a; session=b",
      ],
      read: (text) => {
        for (const headers of [{ authorization: text }, { upgrade: "websocket" }, { cookie: text }]) {
          const request = withHeaders(headers, `http://gateway/ws?ticket=${text}`);
          const credential = request && credentialOf(request, "session");
          keyIdOf(credential?.text ?? text);
          if (credential?.kind === "ticket") must(/^[\w-]+$/.test(credential.text), "a ticket has odd characters");
        }
      },
    }),
    textSubject({
      name: "Accept and Accept-Encoding",
      seeds: ["text/csv;q=0.5, application/json", "*/*;q=0", "zstd, gzip;q=0.5, identity", "br, *;q=0"],
      refusals: [ApiError],
      read: (text) => {
        const request = withHeaders({ accept: text, "accept-encoding": text });
        if (request === undefined) return;
        encodingOf(request);
        formatOf(request);
      },
    }),
  ];
}

function readQueries(random: () => number): void {
  const [query, text, use] = queries[Math.floor(random() * queries.length)] ?? [{}, "", () => undefined];
  const pairs = text.split("&");
  const at = Math.floor(random() * pairs.length);
  const [name = "", value = ""] = pairs[at]?.split("=") ?? [];
  // of a cursor, sometimes what it encodes is changed
  const inner = name === "cursor" && random() < 0.7;
  const changed = mutated(inner ? Buffer.from(value, "base64url") : Buffer.from(decodeURIComponent(value)), random);
  pairs[at] =
    `${name}=${inner ? changed.toString("base64url") : random() < 0.8 ? encodeURIComponent(changed.toString()) : changed.toString("latin1")}`;
  const url = `http://gateway/api?${(random() < 0.9 ? pairs : pairs.slice(at)).join("&")}`;
  const context = { request: new Request("http://gateway/api"), query: {} as unknown };
  Object.defineProperty(context.request, "url", { value: url });
  try {
    accepts(query).transform(context);
    use(context.query as never);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status >= 500) throw new WrongInput(url, error);
    JSON.stringify(error.text);
  }
}

const noUpdates = { key: "", feed: { subscribe: () => () => undefined } };

function readWsMessage(text: string): void {
  const read = readMessage(text);
  if ("error" in read) return void JSON.stringify(read.error);
  if (read.message.type === "subscribe") subscriptionRequestOf(read.message.filters ?? {}, read.message.id, noUpdates);
}

const loopback = new HostNames({ listensOn: "127.0.0.1", own: ["box"], allowed: ["*.svc", "gpus.example.org"] });
const network = new HostNames({ listensOn: "0.0.0.0", own: [], allowed: [] });
const origins = new OriginRule(["https://a.example"]);

function readHost(text: string): void {
  // only names that an attacker's name server can answer are refused, so no such name may be among the others
  const isPublic = /^[a-z]+\.example\.com(?::\d+)?$/i.test(text);
  must(!(isPublic && (loopback.includes(text) || network.includes(text))), "a public name is answered");
  loopback.includes(text);
  network.includes(text);
  readHostPort(text);
  pathOf(`http://gateway/${text}`);
  const request = withHeaders({ origin: text, host: text, "sec-fetch-site": text });
  if (request !== undefined) origins.senderOf(request.headers);
}

function readForwardedFor(text: string): void {
  const request = withHeaders({ "x-forwarded-for": text });
  if (request === undefined) return;
  const address = clientAddress(request, null, true);
  if (address === undefined) return;
  isLoopback(address);
  must(clientNetwork(address) !== undefined, `${address} has no network`);
}

/** @returns undefined if no request can have such headers */
function withHeaders(headers: Readonly<Record<string, string>>, url = "http://gateway/"): Request | undefined {
  try {
    return new Request(url, { headers });
  } catch {
    return undefined;
  }
}
