import { errors, type JWTPayload, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { ProviderUnavailable } from "../../domain/errors.ts";
import type { Clock } from "../../kit/clock.ts";
import type { Caller } from "../caller.ts";
import type { CallerSource } from "../caller-sources.ts";
import type { Credential } from "../credential.ts";
import { hashOf } from "../key-text.ts";
import type { MappedCallers, Person } from "../mapped-callers.ts";
import type { SignedIn } from "../sessions.ts";
import { signedInBy } from "./claims.ts";
import { clockToleranceSeconds, type Provider } from "./provider.ts";
import { algorithms } from "./signing-keys.ts";

const referenceStart = "token:";
/** A compact JWS: three parts in base64url. */
const tokenPattern = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const tokenMaxLength = 8192;
/** Tokens that were checked, so that they are not checked again at each request. */
const maxChecked = 10_000;
/** The types of tokens that are for requests. Others, such as `logout+jwt`, are not.
 *  Source: https://www.rfc-editor.org/rfc/rfc8725#section-3.11 */
const types: ReadonlySet<string> = new Set(["jwt", "at+jwt", "application/at+jwt"]);

export interface TokenCallersOptions {
  readonly provider: Provider;
  readonly callers: MappedCallers;
  /** For whom the tokens must be. */
  readonly audience: string;
  readonly groupsClaim: string;
  readonly clock: Clock;
}

/** What a ticket of a caller with a token says of the token, which was checked. */
interface TokenFacts extends SignedIn {
  readonly expiresAtMs: number;
}

/** The callers with a JSON Web Token that the provider has signed.
 *  Source: https://www.rfc-editor.org/rfc/rfc8725 */
export class TokenCallers implements CallerSource {
  private readonly checked = new LRUCache<string, TokenFacts>({ max: maxChecked });

  constructor(private readonly options: TokenCallersOptions) {
    const { provider, callers } = options;
    provider.onKeyRemoved(() => {
      this.checked.clear();
      for (const reference of callers.referencesWith(referenceStart)) callers.endCaller(reference);
    });
  }

  identify(credential: Credential): Promise<Caller | undefined> | undefined {
    if (credential.kind !== "bearer") return undefined;
    const { text } = credential;
    if (text.length > tokenMaxLength || !tokenPattern.test(text)) return undefined;
    return this.callerWith(text);
  }

  callerOf(reference: string): Caller | undefined {
    if (!reference.startsWith(referenceStart)) return undefined;
    return this.callerFor(JSON.parse(reference.slice(referenceStart.length)) as TokenFacts);
  }

  /** @throws ProviderUnavailable if the token cannot be checked now */
  private async callerWith(token: string): Promise<Caller | undefined> {
    const hash = hashOf(token).toString("base64url");
    const facts = this.checked.get(hash) ?? (await this.check(token));
    if (facts === undefined) return undefined;
    this.checked.set(hash, facts);
    return this.callerFor(facts);
  }

  private callerFor(facts: TokenFacts): Caller | undefined {
    const { subject, name, groups, expiresAtMs } = facts;
    const person: Person = {
      kind: "token",
      reference: `${referenceStart}${JSON.stringify({ subject, name, groups, expiresAtMs })}`,
      id: `oidc:${subject}`,
      name,
      identity: { subject, groups },
      expiresAtMs,
    };
    return this.options.callers.callerOf(person);
  }

  private async check(token: string): Promise<TokenFacts | undefined> {
    try {
      return await this.verify(token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) return noToken(error);
    }
    await this.options.provider.readForUnknownKey();
    return this.verify(token).catch(noToken);
  }

  /** @throws JOSEError if the token is not valid */
  private async verify(token: string): Promise<TokenFacts | undefined> {
    const { provider, audience, groupsClaim, clock } = this.options;
    const { payload, protectedHeader } = await jwtVerify(token, provider.keys.keyOf, {
      issuer: provider.issuer,
      audience,
      algorithms,
      requiredClaims: ["exp", "sub"],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(clock.nowMs()),
    });
    if (!types.has((protectedHeader.typ ?? "jwt").toLowerCase())) return undefined;
    const who = signedInBy(payload, groupsClaim);
    return who && { ...who, expiresAtMs: expiryOf(payload) };
  }
}

function expiryOf({ exp = 0 }: JWTPayload): number {
  return (exp + clockToleranceSeconds) * 1000;
}

/** @throws the error, unless it says that the token is not valid */
function noToken(error: unknown): undefined {
  if (error instanceof errors.JOSEError || error instanceof ProviderUnavailable) return undefined;
  // an algorithm that does not fit the key, or a key that is too short
  if (error instanceof TypeError || error instanceof DOMException) return undefined;
  throw error;
}
