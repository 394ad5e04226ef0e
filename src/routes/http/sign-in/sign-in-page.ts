import { pageHeaders } from "../door/answer-headers.ts";

const style = `body { font-family: system-ui, sans-serif; margin: 4rem auto; max-width: 32rem; padding: 0 1rem; line-height: 1.5 }
button { font: inherit; padding: 0.4rem 1rem }`;
const styleHash = new Bun.CryptoHasher("sha256").update(style).digest("base64");

/** A page of sign-in, as an answer.
 *  @param body HTML
 *  @param formAction where a form of the page may lead, as in a content security policy; undefined: it has none */
export function signInPage(
  body: string,
  {
    status,
    formAction,
    cookies,
  }: { readonly status: number; readonly formAction?: string; readonly cookies?: readonly string[] },
): Response {
  const html = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>GPU telemetry pipeline: sign-in</title>
    <style>${style}</style>
  </head>
  <body>
    <h1>GPU telemetry pipeline</h1>
    ${body}
  </body>
</html>
`;
  const headers = new Headers(pageHeaders(`style-src 'sha256-${styleHash}'`, formAction));
  headers.set("cache-control", "no-store");
  for (const cookie of cookies ?? []) headers.append("set-cookie", cookie);
  return new Response(html, { status, headers });
}

/** The links to the ways of signing in.
 *  @param provider the host of the provider; undefined: people cannot sign in there */
export function waysIn(provider: string | undefined, returnTo: string): string {
  const query = Bun.escapeHTML(`?return_to=${encodeURIComponent(returnTo)}`);
  const people =
    provider === undefined
      ? ""
      : `<p><a href="/sign-in/provider${query}">Sign in with ${Bun.escapeHTML(provider)}</a></p>`;
  return `${people}
    <p><a href="/sign-in-with-key${query}">Use a key</a>: the browser asks for a user and a password. The password is the key; the user may be
    anything.</p>`;
}

/** The form that signs a person out. */
export const signOutForm = `<form method="post" action="/sign-out"><button>Sign out</button></form>`;
