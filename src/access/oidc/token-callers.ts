import { errors, type JWTPayload, jwtVerify } from "jose";
import { LRUCache } from "lru-cache";
import { ProviderUnavailable } from "../../domain/errors.ts";
import type { Clock } from "../../kit/clock.ts";
import { type Attempt, uncounted } from "../attempt.ts";
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

/** A token that is signed, but not for requests. Its message says why. */
class TokenRejected extends errors.JOSEError {}

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

  identify(credential: Credential, attempt: Attempt = uncounted): Promise<Caller | undefined> | undefined {
    if (credential.kind !== "bearer") return undefined;
    const { text } = credential;
    if (text.length > tokenMaxLength || !tokenPattern.test(text)) return undefined;
    return this.callerWith(text, attempt);
  }

  callerOf(reference: string): Caller | undefined {
    if (!reference.startsWith(referenceStart)) return undefined;
    return this.callerFor(JSON.parse(reference.slice(referenceStart.length)) as TokenFacts);
  }

  /** @throws ProviderUnavailable if the token cannot be checked now */
  private async callerWith(token: string, attempt: Attempt): Promise<Caller | undefined> {
    const hash = hashOf(token).toString("base64url");
    const facts = this.checked.get(hash) ?? (await this.checkCounted(token, attempt));
    if (facts === undefined) return undefined;
    this.checked.set(hash, facts);
    const caller = this.callerFor(facts);
    if (caller === undefined) attempt.reject(this.whyNoCaller(facts));
    return caller;
  }

  /** Checks a token, which takes a hundred times as long as to find one that was checked before. */
  private async checkCounted(token: string, attempt: Attempt): Promise<TokenFacts | undefined> {
    await attempt.admit();
    return this.check(token, attempt);
  }

  private whyNoCaller({ subject, expiresAtMs }: TokenFacts): string {
    if (expiresAtMs <= this.options.clock.nowMs()) return "it has expired";
    return `AUTH_MAPPING_FILE grants nothing to ${subject}`;
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

  private async check(token: string, attempt: Attempt): Promise<TokenFacts | undefined> {
    const rejected = (error: unknown): undefined => attempt.reject(whyNoToken(error)) as undefined;
    try {
      return await this.verify(token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) return rejected(error);
    }
    await this.options.provider.readForUnknownKey();
    return this.verify(token).catch(rejected);
  }

  /** @throws JOSEError if the token is not valid */
  private async verify(token: string): Promise<TokenFacts> {
    const { provider, audience, groupsClaim, clock } = this.options;
    const { payload, protectedHeader } = await jwtVerify(token, provider.keys.keyOf, {
      issuer: provider.issuer,
      audience,
      algorithms,
      requiredClaims: ["exp", "sub"],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(clock.nowMs()),
    });
    if (!types.has((protectedHeader.typ ?? "jwt").toLowerCase()))
      throw new TokenRejected("its typ is not JWT or at+jwt");
    const who = signedInBy(payload, groupsClaim);
    if (who === undefined) throw new TokenRejected("its sub is not a text of 1 to 255 characters");
    return { ...who, expiresAtMs: expiryOf(payload) };
  }
}

function expiryOf({ exp = 0 }: JWTPayload): number {
  return (exp + clockToleranceSeconds) * 1000;
}

/** Why a token is not valid, without texts of the token itself.
 *  @throws the error, unless it says that the token is not valid */
function whyNoToken(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has expired";
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "nbf" && error.reason === "check_failed") return "it is not valid yet";
    return error.reason === "missing" ? `it has no ${error.claim}` : `its ${error.claim} is not the expected one`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is wrong";
  if (error instanceof errors.JWKSNoMatchingKey) return "the provider has no key with its kid and alg";
  if (error instanceof errors.JOSEAlgNotAllowed) return "its alg is not allowed";
  if (error instanceof TokenRejected) return error.message;
  if (error instanceof errors.JOSEError || error instanceof ProviderUnavailable) return "it is not a usable token";
  // an algorithm that does not fit the key, or a key that is too short
  if (error instanceof TypeError || error instanceof DOMException) return "its alg does not fit the key";
  throw error;
}
