import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { KubernetesRefused, KubernetesUnavailable } from "../domain/errors.ts";
import { type Clock, systemClock } from "../kit/clock.ts";
import { messageOf } from "../kit/message-of.ts";
import { within } from "../kit/within.ts";
import type { ServiceAccount } from "./service-account.ts";
import { refusalOf, readWatch, type WatchEvent } from "./watch-stream.ts";

export interface KubernetesApiOptions {
  /** The API server, such as `https://10.96.0.1:443`. */
  readonly url: string;
  /** Who calls. Plain http, as to `kubectl proxy`, is used without a token. */
  readonly account: ServiceAccount;
  /** The clock of a watch's silence; the time of calls is the machine's, because an answer takes real time. */
  readonly clock: Clock;
}

/** A request of the API. */
interface Call {
  readonly method: "GET" | "PATCH";
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
}

/** The most time that a call may take, and a watch until it has started. */
const callMaxMs = 3000;
/** A page of 500 pods can have some megabytes. */
const listMaxMs = 30_000;
const statusSchema = Type.Object({ message: Type.String() });

/** Calls of the Kubernetes API over fetch. The client library for JavaScript does not work on Bun: it passes the CA of the cluster to
 *  undici, for which Bun substitutes its own fetch, and that ignores the CA. */
export class KubernetesApi {
  constructor(private readonly options: KubernetesApiOptions) {}

  /** The namespace of the service account. @throws KubernetesUnavailable if it cannot be read */
  namespace(): Promise<string> {
    return this.options.account.namespace();
  }

  /** @throws KubernetesUnavailable; KubernetesRefused */
  get(path: string, signal?: AbortSignal): Promise<unknown> {
    return this.call({ method: "GET", path }, callMaxMs, signal);
  }

  /** A page of a list. @throws KubernetesUnavailable; KubernetesRefused */
  list(path: string, signal: AbortSignal): Promise<unknown> {
    return this.call({ method: "GET", path }, listMaxMs, signal);
  }

  /** Changes what `body` has, and leaves the rest of the object as it is (RFC 7386).
   *  @throws KubernetesUnavailable; KubernetesRefused */
  patch(path: string, body: unknown): Promise<unknown> {
    return this.call({ method: "PATCH", path, body }, callMaxMs);
  }

  /** Follows a watch: yields the events as they arrive, and none at first, when the watch has started. It ends when the server ends
   *  it, when the connection is cut, and when nothing has come for 5 minutes; another watch can continue after the last event.
   *  @throws KubernetesUnavailable if it cannot begin; KubernetesRefused, with status 410 if the server no longer has the revision
   *  that the watch is to begin with */
  async *watch(path: string, signal: AbortSignal): AsyncGenerator<readonly WatchEvent[]> {
    const halt = new AbortController();
    const ends = AbortSignal.any([signal, halt.signal]);
    try {
      const response = await within(systemClock, callMaxMs, ({ signal: late }) =>
        this.send({ method: "GET", path }, AbortSignal.any([ends, late])),
      ).catch((cause: unknown) => this.fail(cause));
      if (!response.ok) throw await this.refusal({ method: "GET", path }, response);
      yield [];
      yield* readWatch(response, this.options.clock, ends);
    } finally {
      halt.abort();
    }
  }

  private async call(call: Call, maxMs: number, signal?: AbortSignal): Promise<unknown> {
    const answered = within(systemClock, maxMs, async ({ signal: late }) => {
      const response = await this.send(call, signal === undefined ? late : AbortSignal.any([signal, late]));
      if (!response.ok) throw await this.refusal(call, response);
      return response.json();
    });
    return answered.catch((cause: unknown) => this.fail(cause));
  }

  private async send({ method, path, body }: Call, signal: AbortSignal): Promise<Response> {
    const { url, account } = this.options;
    const isSecure = url.startsWith("https:");
    const [token, ca] = isSecure ? await Promise.all([account.token(), account.ca()]) : [];
    const headers = {
      accept: "application/json",
      "user-agent": "gpu-telemetry-pipeline",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/merge-patch+json" }),
    };
    // a redirect would take the token elsewhere
    const init: BunFetchRequestInit = { method, headers, signal, redirect: "manual", ...(ca && { tls: { ca } }) };
    return fetch(`${url}${path}`, body === undefined ? init : { ...init, body: JSON.stringify(body) });
  }

  private async refusal({ method, path }: Call, response: Response): Promise<Error> {
    const answer: unknown = await response.json().catch(() => undefined);
    const why = Value.Check(statusSchema, answer) ? answer.message : response.statusText;
    return refusalOf(response.status, `${method} ${path.replace(/\?.*/, "")}: ${why} (${response.status})`);
  }

  private fail(cause: unknown): never {
    if (cause instanceof KubernetesRefused || cause instanceof KubernetesUnavailable) throw cause;
    const problem = `the Kubernetes API does not answer at ${this.options.url}: ${messageOf(cause)}`;
    throw new KubernetesUnavailable(problem, { cause });
  }
}
