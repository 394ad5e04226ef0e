import { Elysia } from "elysia";
import { type SignIn, signInMaxSeconds } from "../../../access/sign-in.ts";
import { ProviderUnavailable, SignInFailed, StoreUnavailable } from "../../../domain/errors.ts";
import { visible } from "../../../domain/visible-text.ts";
import { hiddenDetail } from "../access/access-rule.ts";
import { requesterOf } from "../access/requester.ts";
import { cookieIn } from "../access/session-cookie.ts";
import { ApiError } from "../api-error.ts";
import { returnPath } from "./return-path.ts";
import { signInPage, signOutForm, waysIn } from "./sign-in-page.ts";

/** The pages where people sign in and out. Everyone may open them, except for the one where the browser asks for a key.
 *  @param signIn undefined: people cannot sign in here, and only keys count */
export function signInRoutes(signIn: SignIn | undefined) {
  const open = { detail: hiddenDetail({ scope: "open", countsAs: 1 }) };
  // asks the provider, and anyone can make a state that lets it come to that
  const askingProvider = { detail: hiddenDetail({ scope: "open", countsAs: 10 }) };
  return (
    new Elysia({ name: "sign-in" })
      .get(
        "/sign-in",
        ({ request }) => signInPage(waysIn(signIn?.providerHost, returnOf(request)), { status: 200 }),
        open,
      )
      .get("/sign-in/provider", ({ request }) => toProvider(existing(signIn), request), open)
      .get("/sign-in/callback", ({ request }) => fromProvider(existing(signIn), request), askingProvider)
      // at the root, so that browsers send the key to every path
      .get("/sign-in-with-key", ({ request }) => redirect(returnOf(request)), {
        detail: hiddenDetail({ scope: "any", asksForKey: true }),
      })
      .get("/sign-out", () => signInPage(signOutForm, { status: 200, formAction: formActionOf(signIn) }), open)
      .post("/sign-out", ({ request }) => signOut(existing(signIn), request), open)
  );
}

/** @throws ApiError 404 */
function existing(signIn: SignIn | undefined): SignIn {
  if (signIn !== undefined) return signIn;
  throw new ApiError(404, "not_found", {
    message: "People cannot sign in here: AUTH_OIDC_CLIENT_ID is not set",
    details: { resource: "path" },
  });
}

function returnOf({ url }: Request): string {
  return returnPath(new URL(url).searchParams.get("return_to"));
}

async function toProvider(signIn: SignIn, request: Request): Promise<Response> {
  const { place } = signIn;
  try {
    const { url, binding } = await signIn.begin(cookieIn(request.headers, place.bindingCookie), returnOf(request));
    return redirect(url, [cookieOf(signIn, place.bindingCookie, { value: binding, seconds: signInMaxSeconds })]);
  } catch (error) {
    return failure(error, signIn);
  }
}

async function fromProvider(signIn: SignIn, request: Request): Promise<Response> {
  const { place } = signIn;
  try {
    const binding = cookieIn(request.headers, place.bindingCookie);
    const { session, sessionSeconds, returnTo, who } = await signIn.finish(binding, new URL(request.url).search);
    requesterOf(request).signed(who, "signIn", "ok");
    // the state is the browser's, and another port of its host may have set the cookie that opens it
    return redirect(place.publicUrl + returnPath(returnTo), [
      cookieOf(signIn, place.sessionCookie, { value: session, seconds: sessionSeconds }),
    ]);
  } catch (error) {
    if (error instanceof SignInFailed && error.who !== undefined) {
      requesterOf(request).signed(error.who, "signIn", "forbidden");
    }
    return failure(error, signIn);
  }
}

async function signOut(signIn: SignIn, request: Request): Promise<Response> {
  const { place } = signIn;
  const session = cookieIn(request.headers, place.sessionCookie);
  const { who, url } = await signIn.end(session ?? "");
  if (who !== undefined) requesterOf(request).signed(who, "signOut", "ok");
  const to = who === undefined ? undefined : url;
  return redirect(to ?? `${place.publicUrl}/sign-in`, [
    cookieOf(signIn, place.sessionCookie, { value: "", seconds: 0 }),
  ]);
}

/** Answers with a page, because a person sees it. @throws an error that is not one of signing in */
function failure(error: unknown, signIn: SignIn): Response {
  const isAway = error instanceof ProviderUnavailable || error instanceof StoreUnavailable;
  if (!isAway && !(error instanceof SignInFailed)) throw error;
  const message = isAway ? `Signing in is not possible now: ${error.message}. Try again later.` : error.message;
  const status = isAway ? 503 : error.who !== undefined ? 403 : 400;
  return signInPage(
    `<p>${Bun.escapeHTML(visible(message))}</p>\n    ${waysIn(signIn.providerHost, returnPath(null))}`,
    {
      status,
    },
  );
}

/** The provider's page is named, because a form may not lead there otherwise, even by a redirect. */
function formActionOf(signIn: SignIn | undefined): string {
  return ["'self'", ...(signIn?.endOrigin === undefined ? [] : [signIn.endOrigin])].join(" ");
}

/** A cookie that scripts cannot read, and that requests of other sites do not have, except for links.
 *  @param seconds 0 deletes it */
function cookieOf(
  { place }: SignIn,
  name: string,
  { value, seconds }: { readonly value: string; readonly seconds: number },
): string {
  const secure = place.publicUrl.startsWith("https://") ? "; Secure" : "";
  return `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`;
}

function redirect(location: string, cookies: readonly string[] = []): Response {
  const headers = new Headers({ location, "cache-control": "no-store" });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}
