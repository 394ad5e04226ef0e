import { type IOptions, KVClient, LeaseClient } from "etcd3";
import { ConnectionPool } from "etcd3/lib/connection-pool";
import { deadlineIn } from "../kit/clock.ts";
import { defined } from "../kit/defined.ts";

/** PEM texts: the authority that signed the servers' certificates, by default one of the system's, and this client's
 *  certificate with its key. */
export interface EtcdTls {
  readonly authority?: Buffer | undefined;
  readonly certificate?: Buffer | undefined;
  readonly key?: Buffer | undefined;
}

export interface EtcdClientOptions {
  /** URLs, `http://host:2379` or `https://host:2379`. The client uses one until it fails, then the next. */
  readonly endpoints: readonly string[];
  /** Absent: the system's authorities are trusted, and the client sends no certificate. */
  readonly tls?: EtcdTls | undefined;
  /** Called after each failure: returns what is to be used from now on; undefined if nothing has changed. Absent: nothing changes. */
  readonly renewedTls?: (() => EtcdTls | undefined) | undefined;
  readonly user?: { readonly name: string; readonly password: string } | undefined;
}

/** A call without a response after this time has failed, with an unknown outcome. A healthy etcd responds within milliseconds.
 *  etcd's own timeout is 7 s (5 s and two election timeouts). */
export const callTimeoutMs = 5000;
/** etcd closes connections that ping more often than every 5 s. A frozen server is noticed after 9 s (time plus timeout).
 *  Source: https://etcd.io/docs/v3.5/op-guide/configuration/ (grpc-keepalive-min-time) */
const channelOptions = {
  "grpc.keepalive_time_ms": 6000,
  "grpc.keepalive_timeout_ms": 3000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  // the responses to a watch that catches up, or to a claim of many messages, may exceed gRPC's default of 4 MB
  "grpc.max_receive_message_length": -1,
  // node's http2 refuses further streams beyond 10 MB in flight
  "grpc-node.max_session_memory": 256,
};

type Policy = NonNullable<NonNullable<IOptions["faultHandling"]>["global"]>;

const neverAborted = new AbortController().signal;
const noListener = (): { dispose: () => void } => ({ dispose: () => undefined });
/** Makes each call once. etcd3's own retries would repeat transactions that are not idempotent, and its circuit breaker
 *  refuses every call for 5 s after a restart. */
const once: Policy = {
  execute: async (call) => call({ signal: neverAborted }),
  onSuccess: noListener,
  onFailure: noListener,
  _altReturn: undefined as never,
};

/** An endpoint of etcd, with the clients of its services. */
export interface Endpoint {
  readonly url: string;
  readonly pool: ConnectionPool;
  readonly kv: KVClient;
  readonly lease: LeaseClient;
}

/** Makes the clients of one endpoint; they connect at the first call. */
export function openEndpoint(url: string, { tls, user }: Pick<EtcdClientOptions, "tls" | "user">): Endpoint {
  const pool = new ConnectionPool({
    hosts: url,
    grpcOptions: channelOptions,
    faultHandling: { host: () => once, global: once },
    ...defined({
      credentials: tls && credentialsOf(tls),
      auth: user && { username: user.name, password: user.password },
    }),
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: deadlineIn(callTimeoutMs) }),
  });
  return { url, pool, kv: new KVClient(pool), lease: new LeaseClient(pool) };
}

function credentialsOf({ authority, certificate, key }: EtcdTls) {
  // etcd3's type requires a root certificate, but gRPC uses the system's if it is undefined
  const root = { rootCertificate: authority } as { rootCertificate: Buffer };
  return { ...root, ...defined({ certChain: certificate, privateKey: key }) };
}
