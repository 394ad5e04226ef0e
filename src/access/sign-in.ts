/** Where people sign in, and the cookies by which a browser shows that one has. */
export interface SignInPlace {
  /** The address at which browsers reach the gateways: a scheme, a host and perhaps a port. */
  readonly publicUrl: string;
  /** The cookie of a session. */
  readonly sessionCookie: string;
  /** The cookie that binds a sign-in in progress to its browser. */
  readonly bindingCookie: string;
}

/** A sign-in that was started. */
export interface BegunSignIn {
  /** The provider's page to which the browser goes. */
  readonly url: string;
  /** For the cookie that binds the sign-in to the browser. */
  readonly binding: string;
}

/** A sign-in that has succeeded. */
export interface FinishedSignIn {
  /** The text of the session, for its cookie. */
  readonly session: string;
  readonly sessionSeconds: number;
  /** The path of the page from which the person came. */
  readonly returnTo: string;
  readonly who: { readonly id: string; readonly name: string };
}

/** What is known once a session has ended. */
export interface EndedSession {
  /** Undefined if it had ended before. */
  readonly who: { readonly id: string; readonly name: string } | undefined;
  /** The provider's page where the person signs out there, too; undefined if it has none. */
  readonly url: string | undefined;
}

/** Signs people in and out at an OpenID provider. */
export interface SignIn {
  readonly place: SignInPlace;
  /** The provider's host, for people. */
  readonly providerHost: string;
  /** The origin of the provider's page for signing out; undefined: it has none, or has not answered yet. */
  readonly endOrigin: string | undefined;
  /** @param binding of an earlier sign-in of the browser, so that several can be in progress; undefined: none
   *  @param returnTo the path of the page to which the person returns
   *  @throws ProviderUnavailable */
  begin(binding: string | undefined, returnTo: string): Promise<BegunSignIn>;
  /** @param query what the provider has sent with the browser
   *  @throws SignInFailed; ProviderUnavailable, StoreUnavailable (retryable) */
  finish(binding: string | undefined, query: string): Promise<FinishedSignIn>;
  /** Ends a session, everywhere within 5 s.
   *  @throws StoreUnavailable */
  end(session: string): Promise<EndedSession>;
}

/** How long a sign-in may take, from its begin to its end. */
export const signInMaxSeconds = 600;

/** Where people sign in.
 *  @param publicUrl the address of the gateways
 *  Source: https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis-20#section-4.1.3 (with the prefix __Host-, a cookie
 *  can be set only over TLS, and by the host itself) */
export function signInPlace(publicUrl: string): SignInPlace {
  const prefix = publicUrl.startsWith("https://") ? "__Host-" : "";
  return {
    publicUrl,
    sessionCookie: `${prefix}telemetry_session`,
    bindingCookie: `${prefix}telemetry_sign_in`,
  };
}
