import { readFile } from "node:fs/promises";
import * as client from "openid-client";
import type { Logger } from "pino";
import { ProviderUnavailable } from "../../domain/errors.ts";
import { BaseService } from "../../kit/base-service.ts";
import type { Clock } from "../../kit/clock.ts";
import { messageOf } from "../../kit/message-of.ts";
import { providerFetch, type ProviderRequest } from "./provider-fetch.ts";
import { SigningKeys } from "./signing-keys.ts";

/** The pause between two readings of the provider's addresses and keys. */
const readEveryMs = 300_000;
/** The pause after a reading that has failed, and the shortest one before a reading for a token whose key is not known. */
const retryMs = 15_000;
/** Providers' and gateways' clocks may differ by so much. */
export const clockToleranceSeconds = 30;

export interface ProviderOptions {
  /** The provider's URL, as its tokens have it in `iss`. */
  readonly issuer: string;
  /** As whom people sign in; undefined: they cannot. */
  readonly client: { readonly id: string; readonly secret: string | undefined } | undefined;
  /** The file with the keys; undefined: the provider says where they are. */
  readonly keysFile: string | undefined;
  /** Returns the certificates, in PEM, that are trusted instead of the machine's; called for each request. */
  readonly ca: (() => string) | undefined;
  /** Milliseconds of a clock that cannot be set. */
  readonly monotonicMs: () => number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The addresses and keys of an OpenID provider. They are read every five minutes, and when a token has a key that is not known. While
 *  the provider is away, what was read stays valid. */
export class Provider extends BaseService {
  readonly keys = new SigningKeys();
  private configuration: client.Configuration | undefined;
  private readonly removals: (() => void)[] = [];
  private readonly fetch: (url: string, request: ProviderRequest) => Promise<Response>;
  private reading: Promise<void> | undefined;
  private readAtMs = -Infinity;
  private hasFailed = false;
  private readonly readError = this.repeatedError({
    prefix: "the OpenID provider's addresses and keys cannot be read; those known before stay valid",
    ended: "the OpenID provider's addresses and keys are read again",
  });

  constructor(private readonly options: ProviderOptions) {
    super("provider", options.log);
    this.fetch = providerFetch(options.ca);
  }

  get issuer(): string {
    return this.options.issuer;
  }

  /** The provider's page for signing out; undefined: it has none, or has not answered yet. */
  get endUrl(): string | undefined {
    return this.configuration?.serverMetadata().end_session_endpoint;
  }

  /** Calls `listener` when a key was removed. */
  onKeyRemoved(listener: () => void): void {
    this.removals.push(listener);
  }

  /** What openid-client needs for sign-in.
   *  @throws ProviderUnavailable if the provider has not answered yet */
  async configured(): Promise<client.Configuration> {
    if (this.configuration === undefined) await this.readSoon();
    if (this.configuration !== undefined) return this.configuration;
    throw new ProviderUnavailable("the OpenID provider does not answer");
  }

  /** Reads the keys for a token whose key is not known, unless they were just read.
   *  @throws ProviderUnavailable if the last reading has failed, so that the key may be a new one */
  async readForUnknownKey(): Promise<void> {
    await this.readSoon();
    if (this.hasFailed)
      throw new ProviderUnavailable("the OpenID provider does not answer, so this token cannot be checked");
  }

  override activity(): string {
    return this.keys.areKnown ? `keys of ${this.issuer}` : `no keys of ${this.issuer} yet`;
  }

  protected override open(): Promise<void> {
    return this.read();
  }

  protected override async run(): Promise<void> {
    while (!this.stopping.aborted) {
      await this.options.clock.sleep(this.hasFailed ? retryMs : readEveryMs, this.stopping);
      if (!this.stopping.aborted) await this.read();
    }
  }

  private async readSoon(): Promise<void> {
    if (this.reading !== undefined || this.options.monotonicMs() - this.readAtMs >= retryMs) await this.read();
  }

  /** Reads everything; calls at the same time share one reading. Never throws. */
  private read(): Promise<void> {
    this.reading ??= this.readAll().finally(() => (this.reading = undefined));
    return this.reading;
  }

  private async readAll(): Promise<void> {
    this.readAtMs = this.options.monotonicMs();
    try {
      const { client: own, keysFile } = this.options;
      if (own !== undefined || keysFile === undefined) this.configuration = await this.discover();
      const isRemoved = this.keys.replace(await this.readKeys());
      this.hasFailed = false;
      this.readError.clear();
      if (isRemoved) for (const listener of this.removals) listener();
    } catch (error) {
      this.hasFailed = true;
      this.readError.record(new ProviderUnavailable(reasonOf(error), { cause: error }));
    }
  }

  private discover(): Promise<client.Configuration> {
    const { issuer, client: own } = this.options;
    const isPlain = issuer.startsWith("http://");
    return client.discovery(
      new URL(issuer),
      own?.id ?? "none",
      { [client.clockTolerance]: clockToleranceSeconds },
      own?.secret === undefined ? client.None() : withSecret(own.secret),
      {
        [client.customFetch]: this.fetch as client.CustomFetch,
        // the signature too: otherwise, what the token's address answers is trusted as it comes
        // and the settings allow plain HTTP only for a provider on the same machine; it is marked as deprecated so that it stands out
        execute: [client.enableNonRepudiationChecks, ...(isPlain ? [client.allowInsecureRequests] : [])],
      },
    );
  }

  private async readKeys(): Promise<unknown> {
    const { keysFile } = this.options;
    if (keysFile !== undefined) return JSON.parse(await readFile(keysFile, "utf8")) as unknown;
    const url = this.configuration?.serverMetadata().jwks_uri;
    if (url === undefined) throw new Error("the provider names no jwks_uri");
    if (url.startsWith("http://") && !this.issuer.startsWith("http://"))
      throw new Error(`its jwks_uri ${url} is not https`);
    const answer = await this.fetch(url, { method: "GET", headers: { accept: "application/json" }, body: undefined });
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
    return answer.json();
  }
}

/** Sends the secret in the way that the provider supports.
 *  Source: https://openid.net/specs/openid-connect-discovery-1_0.html ("If omitted, the default is client_secret_basic") */
function withSecret(secret: string): client.ClientAuth {
  const [basic, post] = [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)];
  return (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
    return (methods.includes("client_secret_basic") ? basic : post)(server, ...rest);
  };
}

/** The messages of an error and of its causes. */
function reasonOf(error: unknown): string {
  const messages = new Set<string>();
  for (let at: unknown = error; at instanceof Error; at = at.cause) messages.add(messageOf(at));
  return [...messages].join(": ");
}
