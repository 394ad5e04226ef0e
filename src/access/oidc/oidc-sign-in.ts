import { randomBytes } from "node:crypto";
import { base64url, EncryptJWT, errors, jwtDecrypt } from "jose";
import * as client from "openid-client";
import { ProviderUnavailable, SignInFailed } from "../../domain/errors.ts";
import type { Clock } from "../../kit/clock.ts";
import type { MappedCallers } from "../mapped-callers.ts";
import type { SignedIn, Sessions } from "../sessions.ts";
import {
  type BegunSignIn,
  type EndedSession,
  type FinishedSignIn,
  type SignIn,
  signInMaxSeconds,
  type SignInPlace,
} from "../sign-in.ts";
import { type Claims, groupsIn, signedInBy } from "./claims.ts";
import type { Provider } from "./provider.ts";

export interface OidcSignInOptions {
  readonly place: SignInPlace;
  readonly provider: Provider;
  readonly sessions: Sessions;
  readonly sessionSeconds: number;
  readonly callers: MappedCallers;
  readonly groupsClaim: string;
  /** What the provider is asked for: `openid` and others. */
  readonly scopes: readonly string[];
  readonly clock: Clock;
}

/** What a sign-in in progress needs at its end. */
interface Progress {
  readonly verifier: string;
  readonly nonce: string;
  readonly returnTo: string;
}

const bindingPattern = /^[A-Za-z0-9_-]{43}$/;
const encryption = "A256GCM";

/** Sign-in by the authorization code flow with PKCE. What a sign-in in progress needs at its end is in its `state`, encrypted with a key
 *  that only the browser has, in the binding cookie: so any gateway can end it, no gateway keeps anything for it, and another browser
 *  cannot end it.
 *  Source: https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth and https://www.rfc-editor.org/rfc/rfc9700 */
export class OidcSignIn implements SignIn {
  readonly place: SignInPlace;

  constructor(private readonly options: OidcSignInOptions) {
    this.place = options.place;
  }

  get providerHost(): string {
    return new URL(this.options.provider.issuer).host;
  }

  get endOrigin(): string | undefined {
    const url = this.options.provider.endUrl;
    return url === undefined || !URL.canParse(url) ? undefined : new URL(url).origin;
  }

  async begin(given: string | undefined, returnTo: string): Promise<BegunSignIn> {
    const configuration = await this.options.provider.configured();
    const binding = isBinding(given) ? given : randomBytes(32).toString("base64url");
    const progress = { verifier: client.randomPKCECodeVerifier(), nonce: client.randomNonce(), returnTo };
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: this.callbackUrl(""),
      scope: this.options.scopes.join(" "),
      state: await this.encrypt(progress, binding),
      nonce: progress.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(progress.verifier),
      code_challenge_method: "S256",
    });
    return { url: url.href, binding };
  }

  async finish(binding: string | undefined, query: string): Promise<FinishedSignIn> {
    const { provider, sessions, sessionSeconds, callers } = this.options;
    const state = new URLSearchParams(query).get("state") ?? "";
    const progress = isBinding(binding) ? await this.decrypt(state, binding) : undefined;
    if (progress === undefined) {
      throw new SignInFailed("This sign-in was not begun in this browser, or more than ten minutes ago");
    }
    const who = await this.whoIs(await provider.configured(), { ...progress, state, query });
    if (callers.grantOf(who) === undefined) {
      const groups = who.groups.length === 0 ? "no group" : `the groups ${who.groups.join(", ")}`;
      throw new SignInFailed(
        `${who.name} (${who.subject}) may do nothing here: no entry of AUTH_MAPPING_FILE fits this subject, with ${groups}`,
        { who: { id: idOf(who), name: who.name } },
      );
    }
    const session = await sessions.begin(who);
    return { session, sessionSeconds, returnTo: progress.returnTo, who: { id: idOf(who), name: who.name } };
  }

  async end(session: string): Promise<EndedSession> {
    const { provider, sessions, place } = this.options;
    const ended = await sessions.endOf(session);
    const who = ended && { id: idOf(ended), name: ended.name };
    if (provider.endUrl === undefined) return { who, url: undefined };
    const after = { post_logout_redirect_uri: `${place.publicUrl}/sign-in` };
    return { who, url: client.buildEndSessionUrl(await provider.configured(), after).href };
  }

  /** @throws SignInFailed if the answer of the provider, or its token, is not valid; ProviderUnavailable */
  private async whoIs(
    configuration: client.Configuration,
    { verifier, nonce, state, query }: Progress & { readonly state: string; readonly query: string },
  ): Promise<SignedIn> {
    try {
      const tokens = await client.authorizationCodeGrant(configuration, new URL(this.callbackUrl(query)), {
        pkceCodeVerifier: verifier,
        expectedNonce: nonce,
        expectedState: state,
        idTokenExpected: true,
      });
      const claims: Claims = { ...tokens.claims() };
      const who = signedInBy(
        await this.withGroups(configuration, claims, tokens.access_token),
        this.options.groupsClaim,
      );
      if (who !== undefined) return who;
    } catch (error) {
      throw failureOf(error);
    }
    throw new SignInFailed("The provider's token names no subject of 1 to 255 characters");
  }

  /** Many providers tell groups only at their address of user information. */
  private async withGroups(configuration: client.Configuration, claims: Claims, accessToken: string): Promise<Claims> {
    const isThere = groupsIn(claims, this.options.groupsClaim) !== undefined;
    if (isThere || configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
    return { ...(await client.fetchUserInfo(configuration, accessToken, claims.sub as string)), ...claims };
  }

  private callbackUrl(query: string): string {
    return `${this.place.publicUrl}/sign-in/callback${query}`;
  }

  private encrypt(progress: Progress, binding: string): Promise<string> {
    const nowSeconds = Math.floor(this.options.clock.nowMs() / 1000);
    return new EncryptJWT({ ...progress })
      .setProtectedHeader({ alg: "dir", enc: encryption })
      .setExpirationTime(nowSeconds + signInMaxSeconds)
      .encrypt(base64url.decode(binding));
  }

  private async decrypt(state: string, binding: string): Promise<Progress | undefined> {
    try {
      const { payload } = await jwtDecrypt<Progress>(state, base64url.decode(binding), {
        keyManagementAlgorithms: ["dir"],
        contentEncryptionAlgorithms: [encryption],
        requiredClaims: ["exp"],
        currentDate: new Date(this.options.clock.nowMs()),
      });
      return payload;
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }
}

/** How the audit log names a person. */
function idOf({ subject }: { readonly subject: string }): string {
  return `oidc:${subject}`;
}

function isBinding(text: string | undefined): text is string {
  return text !== undefined && bindingPattern.test(text);
}

function failureOf(error: unknown): Error {
  const cause = { cause: error };
  if (error instanceof client.AuthorizationResponseError) {
    return new SignInFailed(`The provider has refused the sign-in: ${error.error}`, cause);
  }
  if (error instanceof client.ResponseBodyError) {
    return new SignInFailed(`The provider has refused the code: ${error.error}`, cause);
  }
  if (error instanceof client.ClientError && error.code !== undefined && !isAway(error)) {
    return new SignInFailed(`The provider's answer is not valid: ${error.message}`, cause);
  }
  return new ProviderUnavailable("the OpenID provider does not answer", cause);
}

/** True for an answer that was none of the provider's own: it took too long, or is not what the protocol says. */
function isAway({ code }: client.ClientError): boolean {
  return code === "OAUTH_TIMEOUT" || code === "OAUTH_ABORT" || code === "OAUTH_RESPONSE_IS_NOT_CONFORM";
}
